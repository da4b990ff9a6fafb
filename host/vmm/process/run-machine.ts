/** The life of the machine within its process: built, sandboxed, run, and its end recorded. */

import { writeSync } from "node:fs";
import { makeInterrupting } from "../../sys/interrupting-signal.ts";
import { dieWithParent, endAtSignals } from "../../sys/privileges.ts";
import { vmmSystem } from "../../sys/vmm-system.ts";
import { createMachine } from "../kvm/machine.ts";
import { INTERRUPTING_SIGNAL } from "../kvm/vcpu-gate.ts";
import type { VmmConfig } from "../kvm/vmm-config.ts";
import { Told, tell } from "./progress.ts";
import { restrictDeviceThread, restrictProcess } from "./sandbox.ts";
import type { VcpuWorker } from "./vcpu-worker.ts";

/** Runs the machine to its end, which is that of the process. */
export function runMachine(config: VmmConfig, workers: readonly VcpuWorker[]): never {
  if (!config.detached) tieToParent(config.parent);
  writeSync(config.fds.exit, `${run(config, workers)}\n`);
  return vmmSystem.exit(0);
}

/** A parent that died before it could be asked for is not noticed by the kernel, but its process id has gone. */
function tieToParent(parent: number): void {
  dieWithParent();
  if (process.ppid !== parent) vmmSystem.exit(1);
}

function run(config: VmmConfig, workers: readonly VcpuWorker[]): string {
  try {
    process.umask(0); // the modes of files in shared folders are what the guest says
    const machine = createMachine(vmmSystem, config, () => tell(Told.guestOpen));
    for (const [id, task] of machine.tasks.entries()) workers[id]?.prepare(task);
    restrictDeviceThread(config.shares);
    for (const worker of workers) worker.waitUntilRestricted();
    endAtSignals();
    makeInterrupting(INTERRUPTING_SIGNAL);
    restrictProcess(config.shares);
    tell(Told.running);
    for (const worker of workers) worker.run();
    return machine.serve();
  } catch (error) {
    return JSON.stringify({ reason: "vmm-error", message: String(error) });
  }
}
