/** The Worker of one vCPU as the device thread sees it; no turn of that thread's event loop is needed. */

import { Worker } from "node:worker_threads";
import type { VcpuTask } from "../kvm/machine.ts";

/** Beside the VMM's main module, be that a source or a bundle. */
const MAIN = (process.argv[1] ?? "").replace(/main(\.\w+)$/, "vcpu-worker-main$1");

/** States of the gate, a shared word, in order; each side waits for the other's move. */
export const Gate = { starting: 0, prepared: 1, restricted: 2, running: 3 } as const;

export class VcpuWorker {
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker = new Worker(MAIN, { workerData: this.#gate });

  /** Gives the Worker its work, of which it does all but run. */
  prepare(task: VcpuTask): void {
    this.#worker.postMessage(task);
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
