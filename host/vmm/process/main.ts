/**
 * The VMM process: reads its configuration from standard input, builds the machine, closes its sandbox, runs
 * the machine, and leaves the reason of the end on the exit descriptor. It opens nothing: every file came as
 * a descriptor. One that was started ahead of its machine, a spare, does nothing until it hears of it, and opens the files
 * itself, before its sandbox closes.
 *
 * This thread serves the devices; each vCPU has a Worker. The Workers start before anything else is even loaded, for
 * their start takes longer than all the rest.
 */

import { readFileSync } from "node:fs";
import type { VmmConfig } from "../kvm/vmm-config.ts";
import type { openMachine } from "./open-machine.ts";
import { VcpuWorker } from "./vcpu-worker.ts";

const STDIN = 0;

/** What standard input tells: the machine with its open files, or of a spare what to open. */
export interface Task {
  readonly config?: VmmConfig;
  readonly open?: Parameters<typeof openMachine>;
}

const workers = Array.from({ length: Number(process.argv[3]) }, () => new VcpuWorker());
void begin();

async function begin(): Promise<void> {
  const { runMachine } = await import("./run-machine.ts");
  const text = readFileSync(STDIN, "utf8");
  if (text === "") process.exit(); // the one who kept it ready is no more
  const { config, open } = JSON.parse(text) as Task; // written by our own host side
  if (config !== undefined) return runMachine(config, workers);
  const { openMachine } = await import("./open-machine.ts");
  if (open !== undefined) runMachine(openMachine(...open).config, workers);
}
