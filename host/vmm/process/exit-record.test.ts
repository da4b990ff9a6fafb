import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleLog } from "../console-log.ts";
import { machineExit, type VmmEnd } from "./exit-record.ts";

const end = (change: Partial<VmmEnd>): VmmEnd => ({
  record: "",
  signal: null,
  code: 0,
  log: "",
  ...change,
});

function consoleOf(text: string): ConsoleLog {
  const log = new ConsoleLog();
  log.append(new TextEncoder().encode(text));
  return log;
}

test("a reset is a reboot, unless the guest's last words are of a panic", () => {
  const record = '{"reason":"reset","exits":12}';
  assert.deepEqual(machineExit(end({ record }), consoleOf("bye\n")), { reason: "reboot" });
  assert.deepEqual(
    machineExit(end({ record }), consoleOf("[1.0] Kernel panic - not syncing: no init found\n")),
    { reason: "panic", message: "no init found" },
  );
});

test("a watchdog that bit and a guest that is off are what the record says", () => {
  for (const reason of ["watchdog", "poweroff"] as const) {
    const exit = machineExit(end({ record: JSON.stringify({ reason }) }), consoleOf(""));
    assert.deepEqual(exit, { reason });
  }
});

test("a triple fault and a vCPU's error are what the record says", () => {
  const none = consoleOf("");
  assert.deepEqual(machineExit(end({ record: '{"reason":"triple-fault"}' }), none), {
    reason: "triple-fault",
  });
  const record = '{"reason":"vmm-error","message":"KVM internal error, suberror 1"}';
  assert.deepEqual(machineExit(end({ record }), none), {
    reason: "vmm-error",
    message: "KVM internal error, suberror 1",
  });
});

test("a process that was killed says by which signal, and SIGSYS is the sandbox", () => {
  const none = consoleOf("");
  assert.deepEqual(machineExit(end({ signal: "SIGTERM", code: null }), none), {
    reason: "killed",
    signal: "SIGTERM",
  });
  assert.deepEqual(machineExit(end({ signal: "SIGSYS", code: null }), none), {
    reason: "vmm-error",
    message: "the VMM made a system call that its filter refuses",
  });
});

test("a record that is damaged or missing leaves the exit code and the last line of the log", () => {
  for (const record of ["", "{", "null", "[]", '{"reason":7}']) {
    const exit = machineExit(end({ record, code: 1, log: "a\nlast line\n" }), consoleOf(""));
    assert.deepEqual(exit, {
      reason: "vmm-error",
      message: "the VMM ended with code 1: last line",
    });
  }
});
