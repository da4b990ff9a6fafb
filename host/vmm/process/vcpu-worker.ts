/** The Worker of one vCPU as the device thread sees it; no turn of that thread's event loop is needed. */

import { Worker } from "node:worker_threads";
import type { VcpuTask } from "../kvm/machine.ts";

/** Beside this module, or beside the bundle that it is part of. */
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "mjs";
const MAIN = new URL(`./vcpu-worker-main.${EXTENSION}`, import.meta.url);

/** What a Worker is given; it can be posted. */
export interface VcpuWork {
  readonly task: VcpuTask;
  /** descriptors of the folders that its sandbox leaves open */
  readonly folders: readonly number[];
}

/** States of the gate, a shared word, in order; each side waits for the other's move. */
export const Gate = { starting: 0, prepared: 1, restricted: 2, running: 3 } as const;

export class VcpuWorker {
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker = new Worker(MAIN, { workerData: this.#gate });

  /** Gives the Worker its work, of which it does all but run. */
  prepare(work: VcpuWork): void {
    this.#worker.postMessage(work);
    this.#open(Gate.prepared);
  }

  waitUntilRestricted(): void {
    Atomics.wait(this.#gate, 0, Gate.prepared);
  }

  run(): void {
    this.#open(Gate.running);
  }

  #open(state: number): void {
    Atomics.store(this.#gate, 0, state);
    Atomics.notify(this.#gate, 0);
  }
}
