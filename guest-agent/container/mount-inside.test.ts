import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { mountInside } from "./mount-inside.ts";

/** The options with which a tmpfs is mounted on `destination` of a root with a folder /there. */
function tmpfsOptions(destination: string, data = "size=1m"): unknown {
  const recording = new RecordingSyscalls().folder("/root/there");
  recording.on("readlink", () => `/root${destination}`);
  const root = { path: "/root", fd: recording.sys.open("/root", 0) };
  const mount = { destination, type: "tmpfs", source: "tmpfs", flags: 0, propagation: 0, data };
  mountInside(recording.sys, root, mount);
  return recording.made("mount").map(([, options]) => (options as { data: string }).data)[0];
}

test("a tmpfs has the mode of the folder that it covers, else the kernel's own for all to write", () => {
  assert.match(String(tmpfsOptions("/there")), /^size=1m,mode=755$/);
  assert.equal(tmpfsOptions("/there/new"), "size=1m");
  assert.equal(tmpfsOptions("/there", "mode=700"), "mode=700");
});
