import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { mountShares } from "./shares.ts";

/** What stat(2) tells of every file here is device 0:1. */
const READ_AHEAD = "/sys/class/bdi/0:1/read_ahead_kb";

function machine() {
  return new RecordingSyscalls().folder("/c").file(READ_AHEAD, "128");
}

test("all shares are one file system, which is read ahead by whole requests", () => {
  const recording = machine();
  const steps: (() => void)[] = [];
  const paths = mountShares(recording.sys, { folder: "/c", names: ["a", "b"] }, steps);
  assert.deepEqual([...paths.values()], ["/c/shares/a", "/c/shares/b"]);
  const mount = { source: "dvm", target: "/c/shares", type: "virtiofs" };
  assert.deepEqual(recording.made("mount"), [["mount", mount]]);
  assert.equal(recording.text(READ_AHEAD), "1024");
  for (const step of steps.reverse()) step();
  assert.ok(!recording.files.has("/c/shares"));
});

test("a share that the host does not have is refused", () => {
  const recording = machine().fail("mount", "EINVAL").fail("mount", "EINVAL");
  assert.throws(() => mountShares(recording.sys, { folder: "/c", names: ["a"] }, []), {
    message: /shares nothing as a/,
  });
});

test("nothing is mounted for a container without shares", () => {
  const recording = machine();
  assert.equal(mountShares(recording.sys, { folder: "/c", names: [] }, []).size, 0);
  assert.deepEqual(recording.calls, []);
});
