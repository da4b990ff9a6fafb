import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PATH, environment } from "./environment.ts";

const base = { hostname: "h", home: "/root", terminal: false };

test("PATH, HOSTNAME and HOME are there by default", () => {
  assert.deepEqual(environment({ ...base, given: [] }), [
    `PATH=${DEFAULT_PATH}`,
    "HOSTNAME=h",
    "HOME=/root",
  ]);
});

test("a terminal brings TERM", () => {
  assert.ok(environment({ ...base, terminal: true, given: [] }).includes("TERM=xterm"));
  assert.ok(environment({ ...base, terminal: true, given: ["TERM=vt100"] }).includes("TERM=vt100"));
});

test("the last value of a name counts, with all that follows the first equals sign", () => {
  const variables = environment({ ...base, given: ["A=1", "HOME=/h", "A=x=y", "E="] });
  assert.deepEqual(variables.slice(2), ["A=x=y", "HOME=/h", "E="]);
});

test("what has no name is left out", () => {
  assert.equal(environment({ ...base, given: ["=x", "novalue", ""] }).length, 3);
});
