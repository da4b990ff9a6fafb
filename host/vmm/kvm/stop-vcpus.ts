/** Brings all vCPUs of a machine out of the guest. */

import type { EventLoop } from "./event-loop.ts";
import type { Mailbox } from "./mailbox.ts";
import type { System } from "./system.ts";
import type { VcpuGate } from "./vcpu-gate.ts";

/** Turns of 1 `millisecond` that vCPUs are given; one that waits for the disk takes a while. */
const TURNS = 10_000;

export interface StoppableMachine {
  readonly system: System;
  readonly vcpus: readonly { readonly gate: VcpuGate; readonly run: DataView }[];
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
}

/**
 * Devices are served meanwhile, for a vCPU may be waiting for one.
 *
 * @returns false when the machine ended instead, or a vCPU stays in the guest
 */
export function stopVcpus({ system, vcpus, loop, mailbox }: StoppableMachine): boolean {
  for (const { gate, run } of vcpus) gate.stop(system, run);
  for (let turns = 0; turns < TURNS; turns++) {
    if (mailbox.read() !== undefined) return false;
    if (vcpus.every(({ gate }) => gate.isParked)) return true;
    loop.turn(1);
  }
  return false;
}
