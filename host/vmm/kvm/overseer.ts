/**
 * Sees when a guest is no more though its vCPUs are: when its watchdog bites, and when it has halted for good. There
 * being no ACPI, a Linux that powers off halts all its processors with interrupts off, right after it has stopped its
 * watchdog: so that is when this looks, and a guest at rest is never disturbed.
 */

import * as kvm from "../../sys/kvm.ts";
import type { StatefulMachine } from "./save-machine.ts";
import { stopVcpus } from "./stop-vcpus.ts";
import { control, type Mapping } from "./system.ts";
import type { Watchdog } from "./watchdog.ts";

/** Between two looks whether the guest has halted, in `milliseconds`, and how many there are. */
const LOOK = 100;
const LOOKS = 50;
/** A turn of the watchdog that comes so much too late, in `milliseconds`, was not the guest's fault: it is not counted. */
const LATE = 1000;

type OverseenMachine = Pick<StatefulMachine, "system" | "vcpus" | "loop" | "mailbox" | "watchdog">;

export class Overseer {
  readonly #machine: OverseenMachine;
  readonly #watchdog: Watchdog;
  readonly #state: Mapping;
  #isCounting = false;
  /** stops of the watchdog that were acted on */
  #stops = 0;

  constructor(machine: OverseenMachine) {
    this.#machine = machine;
    this.#watchdog = machine.watchdog;
    this.#state = machine.system.map(kvm.kvm_mp_state.size);
  }

  /** The watchdog was started or stopped. */
  look(): void {
    const { stops, period } = this.#watchdog;
    if (period > 0 && !this.#isCounting) this.#count(period, this.#watchdog.starts);
    if (stops !== this.#stops) this.#awaitHalt(stops, LOOKS);
    this.#stops = stops;
  }

  /** @param starts how often it had been started when the time began */
  #count(period: number, starts: number): void {
    const { system, loop } = this.#machine;
    const due = system.now() + period;
    this.#isCounting = true;
    loop.timer(due, () => {
      this.#isCounting = false;
      const now = this.#watchdog;
      if (now.period === 0) return;
      const isLate = system.now() - due > LATE;
      if (now.starts === starts && !isLate) this.#end("watchdog");
      else this.#count(now.period, now.starts);
    });
  }

  #awaitHalt(stops: number, looks: number): void {
    const { system, loop } = this.#machine;
    loop.timer(system.now() + LOOK, () => {
      if (this.#watchdog.stops !== stops || this.#watchdog.period > 0) return;
      if (this.#hasHalted()) this.#end("poweroff");
      else if (looks > 1) this.#awaitHalt(stops, looks - 1);
    });
  }

  /** A vCPU that never started, or halts and takes no interrupt, does nothing any more; one at least was running. */
  #hasHalted(): boolean {
    const { vcpus } = this.#machine;
    if (!stopVcpus(this.#machine)) return false;
    const halted = vcpus.filter((one) => this.#runState(one.vcpu.fd) === kvm.KVM_MP_STATE_HALTED);
    const running = vcpus.filter(
      (one) => this.#runState(one.vcpu.fd) === kvm.KVM_MP_STATE_RUNNABLE,
    );
    const isOver =
      running.length === 0 &&
      halted.length > 0 &&
      halted.every(({ run }) => run.getUint8(kvm.kvm_run.if_flag) === 0);
    for (const { gate } of vcpus) gate.resume();
    return isOver;
  }

  #runState(fd: number): number {
    control(this.#machine.system, fd, "KVM_GET_MP_STATE", this.#state.address);
    return new DataView(this.#state.bytes).getUint32(kvm.kvm_mp_state.mp_state, true);
  }

  #end(reason: "watchdog" | "poweroff"): void {
    this.#machine.mailbox.post(JSON.stringify({ reason }));
    this.#machine.loop.stop();
  }
}
