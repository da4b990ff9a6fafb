/** A machine whose state is saved, and one that goes on from there. */

import type { VirtioTransport } from "../devices/virtio/transport.ts";
import type { EventLoop } from "./event-loop.ts";
import { KernelState } from "./kernel-state.ts";
import { MachineState, MachineStateError, Section } from "./machine-state.ts";
import type { Mailbox } from "./mailbox.ts";
import { stopVcpus } from "./stop-vcpus.ts";
import { check, type HostAddress, type System } from "./system.ts";
import type { CreatedVcpu } from "./vcpu.ts";
import type { VcpuGate } from "./vcpu-gate.ts";
import type { Vm } from "./vm.ts";
import type { VmmConfig } from "./vmm-config.ts";
import type { Watchdog } from "./watchdog.ts";

/** The parts of a machine that have a state. */
export interface StatefulMachine {
  readonly system: System;
  readonly vm: Vm;
  readonly transports: readonly VirtioTransport[];
  readonly vcpus: readonly (CreatedVcpu & { readonly gate: VcpuGate })[];
  readonly loop: EventLoop;
  readonly mailbox: Mailbox;
  readonly watchdog: Watchdog;
}

/** The reason of the machine's end when it has been saved, as JSON text. */
export const SAVED = JSON.stringify({ reason: "saved" });
const STATE_LIMIT = 64 * 1024 * 1024;

/**
 * Makes ready, before the sandbox is closed, to save the machine when somebody connects to the control socket.
 *
 * @returns serves the machine until it has been saved, or ends otherwise; the reason as JSON text
 */
export function prepareSave(machine: StatefulMachine, config: VmmConfig): () => string {
  const { system, loop, mailbox } = machine;
  const { template, fds } = config;
  if (template === undefined) throw new MachineStateError("no file to save to");
  const kernel = new KernelState(system, fds.kvm);
  loop.watch(fds.control, () => loop.stop()).events = 1;
  return () => {
    loop.run();
    const isStopped = stopVcpus(machine);
    while (loop.turn(0) > 1); // what the guest has handed over; the one who waits for us stays ready
    const ended = mailbox.read();
    if (ended !== undefined) return ended;
    if (!isStopped) throw new MachineStateError("a vCPU does not leave the guest");
    const state = new MachineState();
    kernel.save(
      state,
      machine.vm.fd,
      machine.vcpus.map(({ vcpu }) => vcpu.fd),
    );
    for (const [index, transport] of machine.transports.entries()) transport.save(state, index);
    const period = Int32Array.of(machine.watchdog.period);
    state.set(Section.watchdog, 0, new Uint8Array(period.buffer));
    writeAll(system, template.state, state.encode());
    return SAVED;
  };
}

function writeAll(system: System, fd: number, bytes: Uint8Array): void {
  const copy = system.map(bytes.length);
  new Uint8Array(copy.bytes).set(bytes);
  for (let done = 0; done < bytes.length; ) {
    const address = (copy.address + done) as HostAddress;
    done += check("write", system.write(fd, address, bytes.length - done));
  }
}

/**
 * Puts a new machine, whose memory is that of the saved one, where that one stopped.
 *
 * @throws {MachineStateError} when the state is not that of such a machine
 */
export function restoreMachine(machine: StatefulMachine, config: VmmConfig): void {
  const { system, vm, vcpus, transports } = machine;
  const { template, fds } = config;
  if (template === undefined) throw new MachineStateError("no state to go on from");
  const length = check("lseek", system.fileSize(template.state));
  if (length > STATE_LIMIT) throw new MachineStateError(`state of ${length} bytes`);
  const { bytes } = system.map(length, { fd: template.state, shared: false });
  const state = MachineState.decode(new Uint8Array(bytes, 0, length));
  const kernel = new KernelState(system, fds.kvm);
  for (const { vcpu } of vcpus) kernel.restoreVcpu(state, vcpu.fd, vcpu.id);
  kernel.restoreVm(state, vm.fd);
  for (const [index, transport] of transports.entries()) transport.restore(state, index);
  const period = state.get(Section.watchdog, 0, 4);
  machine.watchdog.period = new DataView(period.buffer, period.byteOffset).getInt32(0, true);
}
