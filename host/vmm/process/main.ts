/**
 * The VMM process: reads its configuration from standard input, builds the machine, closes its sandbox, runs
 * the machine, and leaves the reason of the end on the exit descriptor. It opens nothing: every file came as
 * a descriptor.
 *
 * This thread serves the devices; each vCPU has a Worker. The Workers start before the machine is built, so
 * that their start-up costs no time of their own.
 */

import { readFileSync, writeSync } from "node:fs";
import { dieWithParent, endAtSignals } from "../../sys/privileges.ts";
import { vmmSystem } from "../../sys/vmm-system.ts";
import { createMachine } from "../kvm/machine.ts";
import type { VmmConfig } from "../kvm/vmm-config.ts";
import { Told, tell } from "./progress.ts";
import { restrictProcess, restrictThread } from "./sandbox.ts";
import { VcpuWorker } from "./vcpu-worker.ts";

const STDIN = 0;

const config = JSON.parse(readFileSync(STDIN, "utf8")) as VmmConfig; // written by our own host side
if (!config.detached) tieToParent();
writeSync(config.fds.exit, `${main()}\n`);
vmmSystem.exit(0);

/** A parent that died before it could be asked for is not noticed by the kernel, but its process id has gone. */
function tieToParent(): void {
  dieWithParent();
  if (process.ppid !== config.parent) vmmSystem.exit(1);
}

function main(): string {
  try {
    const folders = config.shares.map(({ fd }) => fd);
    const workers = Array.from({ length: config.vcpus }, () => new VcpuWorker());
    const machine = createMachine(vmmSystem, config, () => tell(Told.guestOpen));
    for (const [id, task] of machine.tasks.entries()) workers[id]?.prepare({ task, folders });
    restrictThread(folders);
    for (const worker of workers) worker.waitUntilRestricted();
    endAtSignals();
    restrictProcess({ shares: folders.length > 0 });
    tell(Told.running);
    for (const worker of workers) worker.run();
    return machine.serve();
  } catch (error) {
    return JSON.stringify({ reason: "vmm-error", message: String(error) });
  }
}
