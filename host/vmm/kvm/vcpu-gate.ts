/** Where the device thread stops the vCPUs and lets them go on: a shared word for each. */

import { kvm_run } from "../../sys/kvm.ts";
import { SYS } from "../../sys/system-call-numbers.ts";
import type { System } from "./system.ts";

/** SIGUSR2 of asm/signal.h, for which Node has no use: it only interrupts, see `makeInterrupting` */
export const INTERRUPTING_SIGNAL = 12;

/** States of the word: the device thread sets `wanted` and `running`, the vCPU's thread `parked`. */
const State = { running: 0, wanted: 1, parked: 2 } as const;

const STATE = 0;
/** thread id, for signals */
const THREAD = 1;
const WORDS = 2;

export class VcpuGate {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** In the vCPU's thread, before its first KVM_RUN. */
  enter(system: System): void {
    Atomics.store(this.#words, THREAD, system.syscall(SYS.gettid));
  }

  /**
   * In the vCPU's thread, when KVM_RUN was interrupted: stays here while it is to. What the guest waited for of an
   * earlier exit is complete by then, for KVM_RUN does that before it returns.
   *
   * @param parked tells the device thread
   */
  pass(run: DataView, parked: () => void): void {
    run.setUint8(kvm_run.immediate_exit, 0); // before looking, so that no wish between the two is lost
    if (Atomics.load(this.#words, STATE) !== State.wanted) return;
    Atomics.store(this.#words, STATE, State.parked);
    parked();
    Atomics.wait(this.#words, STATE, State.parked);
  }

  /** In the device thread: asks the vCPU to leave the guest. `run` is its struct kvm_run. */
  stop(system: System, run: DataView): void {
    Atomics.store(this.#words, STATE, State.wanted);
    run.setUint8(kvm_run.immediate_exit, 1); // for a KVM_RUN that begins after the signal
    const thread = Atomics.load(this.#words, THREAD);
    if (thread > 0)
      system.syscall(SYS.tgkill, system.syscall(SYS.getpid), thread, INTERRUPTING_SIGNAL);
  }

  get isParked(): boolean {
    return Atomics.load(this.#words, STATE) === State.parked;
  }

  resume(): void {
    Atomics.store(this.#words, STATE, State.running);
    Atomics.notify(this.#words, STATE);
  }
}
