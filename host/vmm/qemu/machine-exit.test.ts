import assert from "node:assert/strict";
import { test } from "node:test";
import { ConsoleLog } from "../console-log.ts";
import type { MachineExit } from "../hypervisor.ts";
import { machineExit } from "./machine-exit.ts";
import type { ProcessEnd } from "./qemu-process.ts";

const ended: ProcessEnd = { code: 0, signal: null, stderr: "" };

test("the end of a machine is told from the process, the event and the console", () => {
  const panic = "[    1.5] Kernel panic - not syncing: VFS: no root\n[    1.6] CPU: 0\n";
  const cases: [Partial<ProcessEnd>, string | undefined, string, MachineExit][] = [
    [{}, "guest-reset", "", { reason: "reboot" }],
    [{}, undefined, "", { reason: "reboot" }],
    [{}, "guest-shutdown", "", { reason: "poweroff" }],
    [{}, "host-signal", "", { reason: "killed", signal: "SIGTERM" }],
    [{}, "guest-reset", panic, { reason: "panic", message: "VFS: no root" }],
    [{}, "guest-panic", "", { reason: "panic", message: "no message on the console" }],
    [{ code: null, signal: "SIGKILL" }, undefined, panic, { reason: "killed", signal: "SIGKILL" }],
    [
      { code: null, signal: "SIGABRT", stderr: "assertion failed" },
      undefined,
      "",
      { reason: "vmm-error", message: "QEMU ended with signal SIGABRT: assertion failed" },
    ],
    [{ code: 1 }, undefined, "", { reason: "vmm-error", message: "QEMU ended with code 1" }],
  ];
  for (const [process, shutdownReason, text, exit] of cases) {
    const console = new ConsoleLog();
    console.append(Buffer.from(text));
    assert.deepEqual(
      machineExit({ process: { ...ended, ...process }, shutdownReason, console }),
      exit,
    );
  }
});
