import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { Undo } from "./container-parts.ts";
import { Disks } from "./disks.ts";
import { swapTo } from "./swap.ts";

function machine() {
  const recording = new RecordingSyscalls()
    .file("/sys/block/vdc/serial", "dvm-swap")
    .file("/proc/sys/vm/swappiness", "60\n");
  return { recording, disks: new Disks(recording.sys, "/run/disks") };
}

test("memory is swapped to the disk until the container is no more", () => {
  const { recording, disks } = machine();
  const undo = new Undo();
  swapTo(recording.sys, disks, { swap: { serial: "dvm-swap" }, undo });
  assert.deepEqual(recording.made("swapon"), [["swapon", "/dev/vdc", 0x10000]]);
  assert.deepEqual(recording.made("swapoff"), []);
  assert.equal(recording.text("/proc/sys/vm/swappiness"), "60\n");
  undo.all();
  assert.deepEqual(recording.made("swapoff"), [["swapoff", "/dev/vdc"]]);
});

test("it is as readily swapped as was asked for", () => {
  const { recording, disks } = machine();
  swapTo(recording.sys, disks, {
    swap: { serial: "dvm-swap", swappiness: 10 },
    undo: new Undo(),
  });
  assert.equal(recording.text("/proc/sys/vm/swappiness"), "10\n");
});

test("a disk that is no swap area, or not there, is told of, and nothing is to be undone", () => {
  const { recording, disks } = machine();
  recording.fail("swapon", "EINVAL");
  const undo = new Undo();
  assert.throws(() => swapTo(recording.sys, disks, { swap: { serial: "dvm-swap" }, undo }), {
    code: "EINVAL",
  });
  assert.throws(() => swapTo(recording.sys, disks, { swap: { serial: "none" }, undo }), {
    code: "CONTAINER_SPEC",
  });
  undo.all();
  assert.deepEqual(recording.made("swapoff"), []);
});
