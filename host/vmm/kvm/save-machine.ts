/** A machine that is saved while it is held still, and one that goes on from there. */

import { SYS } from "../../sys/system-call-numbers.ts";
import { POLLIN } from "../devices/virtio/device.ts";
import type { VirtioTransport } from "../devices/virtio/transport.ts";
import type { GuestMemory } from "../memory/guest-memory.ts";
import type { EventLoop } from "./event-loop.ts";
import { KernelState } from "./kernel-state.ts";
import {
  MachineState,
  MachineStateError,
  SAVED_HEADER,
  Section,
  STATE_LIMIT,
} from "./machine-state.ts";
import type { Mailbox } from "./mailbox.ts";
import { stopVcpus } from "./stop-vcpus.ts";
import { check, EINTR, type HostAddress, type Mapping, type System } from "./system.ts";
import type { CreatedVcpu } from "./vcpu.ts";
import type { VcpuGate } from "./vcpu-gate.ts";
import type { Vm } from "./vm.ts";
import type { VmmConfig, VmmTemplate } from "./vmm-config.ts";
import type { Watchdog } from "./watchdog.ts";

/** The parts of a machine that have a state. */
export interface StatefulMachine {
  readonly system: System;
  readonly vm: Vm;
  readonly memory: GuestMemory;
  readonly transports: readonly VirtioTransport[];
  readonly vcpus: readonly (CreatedVcpu & { readonly gate: VcpuGate })[];
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly watchdog: Watchdog;
}

/** Turns of 1 `millisecond` that devices are given to finish what the guest has handed over. */
const TURNS = 1000;

/**
 * Sends the machine to whoever connects: header, state, memory. It is held still from then until they are gone; the log
 * says why one was not sent.
 */
export function serveSaves(machine: StatefulMachine, fds: VmmConfig["fds"]): void {
  const { system, loop } = machine;
  let buffer: Mapping | undefined;
  loop.watch(fds.save, () => {
    const reader = system.syscall(SYS.accept4, fds.save, 0, 0, 0); // one that waits, as nothing else is to be done
    if (reader < 0) return;
    try {
      const state = stateOf(machine, fds.kvm);
      buffer ??= system.map(SAVED_HEADER + STATE_LIMIT);
      const isSent = send(machine, reader, buffer, state);
      while (isSent && system.read(reader, buffer.address, 1) === -EINTR);
    } catch (error) {
      system.log(`it was not saved: ${error}`);
    }
    check("close", system.close(reader));
    machine.watchdog.renew();
    for (const { gate } of machine.vcpus) gate.resume();
  }).events = POLLIN;
}

/** Stops the machine. @throws {MachineStateError} for one that cannot be saved as it is */
function stateOf(machine: StatefulMachine, kvmFd: number): Uint8Array {
  if (!stopVcpus(machine)) throw new MachineStateError("a vCPU does not leave the guest");
  for (let turns = 0; turns < TURNS && machine.loop.turn(1) > 0; turns++);
  const state = new MachineState();
  const fds = machine.vcpus.map(({ vcpu }) => vcpu.fd);
  new KernelState(machine.system, kvmFd).save(state, machine.vm.fd, fds);
  for (const [index, transport] of machine.transports.entries()) transport.save(state, index);
  const period = Int32Array.of(machine.watchdog.period);
  state.set(Section.watchdog, 0, new Uint8Array(period.buffer));
  return state.encode();
}

/** @returns whether the reader has it all */
function send(
  { system, memory }: StatefulMachine,
  reader: number,
  { bytes, address }: Mapping,
  state: Uint8Array,
): boolean {
  const header = BigUint64Array.of(BigInt(state.length), BigInt(memory.length));
  new Uint8Array(bytes).set(new Uint8Array(header.buffer));
  new Uint8Array(bytes).set(state, SAVED_HEADER);
  const parts = [{ address, length: SAVED_HEADER + state.length }, ...memory.regions];
  return parts.every((part) => sendAll(system, reader, part.address, part.length));
}

/** A reader that has gone needs no more. */
function sendAll(system: System, fd: number, address: HostAddress, length: number): boolean {
  for (let done = 0; done < length; ) {
    const sent = system.write(fd, (address + done) as HostAddress, length - done);
    if (sent < 0 && sent !== -EINTR) return false;
    done += Math.max(0, sent);
  }
  return true;
}

/**
 * Puts a new machine, whose memory is that of the saved one, where that one stopped.
 *
 * @throws {MachineStateError} when the state is not that of such a machine
 */
export function restoreMachine(machine: StatefulMachine, template: VmmTemplate): void {
  const { system, vm, vcpus, transports } = machine;
  const length = check("lseek", system.fileSize(template.state));
  if (length > STATE_LIMIT) throw new MachineStateError(`state of ${length} bytes`);
  if (system.fileSize(template.memory) !== machine.memory.length) {
    throw new MachineStateError("memory of another length");
  }
  const { bytes } = system.map(length, { fd: template.state, shared: false });
  const state = MachineState.decode(new Uint8Array(bytes, 0, length));
  if (state.has(Section.mpState, vcpus.length) || state.has(Section.device, transports.length)) {
    throw new MachineStateError("of a machine with more processors or devices");
  }
  const kernel = new KernelState(system, vm.kvmFd);
  for (const { vcpu } of vcpus) kernel.restoreVcpu(state, vcpu.fd, vcpu.id);
  kernel.restoreVm(state, vm.fd);
  for (const [index, transport] of transports.entries()) transport.restore(state, index);
  const period = state.get(Section.watchdog, 0, 4);
  machine.watchdog.period = new DataView(period.buffer, period.byteOffset).getInt32(0, true);
}
