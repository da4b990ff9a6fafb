import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIpcMode, parsePidMode } from "./namespace-modes.ts";

test("a namespace is a container's, by its name", () => {
  assert.equal(parsePidMode("container:web"), "container:web");
  for (const mode of ["container:web", "private", "shareable"]) {
    assert.equal(parseIpcMode(mode), mode);
  }
});

test("the host's namespaces, and a container without a name, are refused", () => {
  for (const text of ["host", "container:", "", "web"]) {
    assert.throws(() => parsePidMode(text), /must be container:CONTAINER/);
    assert.throws(() => parseIpcMode(text), /must be private, shareable or container:CONTAINER/);
  }
});
