import assert from "node:assert/strict";
import { test } from "node:test";
import { renderVersion } from "./version.ts";

const info = { version: "1.2.3", node: "24.0.0", protocol: 4, platform: "linux/amd64" };

test("a version has the daemon's part, or says that none runs", () => {
  const server = { Version: "1.2.2", ApiVersion: "1.47", KernelVersion: "6.1" };
  const [, served] = renderVersion(info, server).split("\n\n");
  assert.equal(
    served,
    "Server:\n Version:           1.2.2\n API version:       1.47\n Host kernel:       6.1\n",
  );
  assert.match(renderVersion(info), /\n\nServer:\n Version: +none runs\n$/);
});
