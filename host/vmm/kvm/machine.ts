/** The machine, from the first KVM call to the last: this file reads as the life of a VM. */

import { DiskLimiter } from "../devices/block/token-bucket.ts";
import type { VirtioDevice } from "../devices/virtio/device.ts";
import { VIRTIO_MMIO_QUEUE_NOTIFY } from "../devices/virtio/registers.ts";
import { VirtioTransport } from "../devices/virtio/transport.ts";
import { createGuestMemory } from "../memory/guest-memory.ts";
import * as layout from "../x86_64/layout.ts";
import { MP_TABLE_VCPUS_LIMIT } from "../x86_64/mp-table.ts";
import { loadGuest } from "./boot.ts";
import { serveControl } from "./control-socket.ts";
import { createDevices } from "./create-devices.ts";
import { DiskSlots } from "./disk-slots.ts";
import { KvmError } from "./errors.ts";
import { EventDescriptor } from "./event-descriptor.ts";
import { EventLoop } from "./event-loop.ts";
import { Mailbox } from "./mailbox.ts";
import { Overseer } from "./overseer.ts";
import { restoreMachine, type StatefulMachine, serveSaves } from "./save-machine.ts";
import { ExitCounters, openStatistics } from "./statistics.ts";
import type { System } from "./system.ts";
import { createVcpu, type Vcpu } from "./vcpu.ts";
import { VcpuGate } from "./vcpu-gate.ts";
import { Vm } from "./vm.ts";
import type { VmmConfig } from "./vmm-config.ts";
import { Watchdog } from "./watchdog.ts";

/** What a vCPU's thread needs; everything in it can be posted to another thread. */
export interface VcpuTask {
  readonly vcpu: Vcpu;
  /** register block of each device, in address order */
  readonly blocks: readonly SharedArrayBuffer[];
  /** descriptor that wakes the device thread, for each device */
  readonly kicks: readonly number[];
  /** console log, for the debug serial port */
  readonly console: number;
  /** see `ExitCounters` */
  readonly exits: SharedArrayBuffer;
  readonly mailbox: SharedArrayBuffer;
  /** see `VcpuGate` */
  readonly gate: SharedArrayBuffer;
  /** see `Watchdog` */
  readonly watchdog: SharedArrayBuffer;
  /** descriptor that tells the device thread to look at mailbox, gate and watchdog */
  readonly control: number;
}

export interface Machine {
  readonly tasks: readonly VcpuTask[];
  /** Serves the devices until the machine ends; returns the reason as JSON text. */
  serve(): string;
}

/**
 * Builds a machine that is ready to run its first instruction.
 *
 * @param onGuestOpen called whenever the guest opens the agent's port
 * @throws {KvmError | KernelImageError | SystemCallError} when it cannot be made
 */
export function createMachine(system: System, config: VmmConfig, onGuestOpen: () => void): Machine {
  if (config.vcpus > MP_TABLE_VCPUS_LIMIT) throw new KvmError(`${config.vcpus} vCPUs`);
  const began = system.now();
  const vm = new Vm(system, config.fds.kvm);
  const { template } = config;
  const memory = createGuestMemory(system, layout.memoryRanges(config.memoryMiB), template);
  vm.setMemory(memory);

  const loop = new EventLoop(system);
  const devices = createDevices(system, config, onGuestOpen);
  const slots = devices.map((device, index) => plug(device, { system, vm, memory, loop, index }));
  const transports = slots.map(({ transport }) => transport);
  const vcpus = Array.from({ length: config.vcpus }, (_, id) => ({
    ...createVcpu(system, vm, { id, vcpus: config.vcpus }),
    gate: new VcpuGate(),
  }));
  const mailbox = new Mailbox();
  const watchdog = new Watchdog();
  const machine = { system, vm, memory, transports, vcpus, loop, mailbox, watchdog };
  if (template !== undefined) restoreMachine(machine, template);
  else {
    const entry = loadGuest(system, {
      memory,
      kernel: config.fds.kernel,
      initramfs: config.fds.initramfs,
      commandLine: [config.commandLine, ...slots.map(({ word }) => word)].join(" "),
      vcpus: config.vcpus,
    });
    for (const { setEntry } of vcpus) setEntry(entry);
  }

  const counters = new ExitCounters(config.vcpus);
  const overseer = new Overseer(machine);
  overseer.look(); // that of a clone may be running
  const control = watchControl(machine, overseer);
  const tasks = vcpus.map(({ vcpu, gate }) => ({
    vcpu,
    blocks: transports.map(({ block }) => block.shared),
    kicks: slots.map(({ kick }) => kick),
    console: config.fds.console,
    exits: counters.shared,
    mailbox: mailbox.shared,
    gate: gate.shared,
    watchdog: watchdog.shared,
    control: control.fd,
  }));
  serveSaves(machine, config.fds);
  const fds = vcpus.map(({ vcpu }) => vcpu.fd);
  const statistics = openStatistics(system, { began, counters, vcpus: fds });
  const disks = new DiskSlots(system, transports);
  serveControl(system, { loop, listener: config.fds.control }, ({ limits, plug, unplug }) => {
    if (plug !== undefined) return { refusal: disks.plug(plug) };
    if (unplug !== undefined) return disks.unplug(unplug);
    if (limits === undefined) return statistics();
    const limiter = limits === null ? undefined : new DiskLimiter(limits, system.now());
    for (const { device } of transports) device.limit?.(limiter);
    return undefined;
  });
  return { tasks, serve: () => serve(loop, mailbox) };
}

/** A vCPU's thread that signals what this returns has left a reason for the end, or something to look at. */
function watchControl(
  { system, loop, mailbox }: Pick<StatefulMachine, "system" | "loop" | "mailbox">,
  overseer: Overseer,
): EventDescriptor {
  const control = new EventDescriptor(system);
  loop.watch(control.fd, () => {
    control.clear();
    if (mailbox.read() !== undefined) loop.stop();
    else overseer.look();
  }).events = 1;
  return control;
}

interface Slot {
  readonly transport: VirtioTransport;
  /** descriptor of the kick */
  readonly kick: number;
  /** word of the kernel command line that announces the device */
  readonly word: string;
}

/** Gives a device its page, its interrupt line and its event descriptors. */
function plug(
  device: VirtioDevice,
  {
    system,
    vm,
    index,
    ...rest
  }: Pick<StatefulMachine, "system" | "vm" | "memory" | "loop"> & {
    readonly index: number;
  },
): Slot {
  if (index >= layout.VIRTIO_DEVICES_LIMIT) {
    throw new KvmError(`more than ${layout.VIRTIO_DEVICES_LIMIT} devices`);
  }
  const address = layout.VIRTIO_MMIO_START + index * layout.VIRTIO_MMIO_STRIDE;
  const line = layout.VIRTIO_FIRST_IRQ + index;
  const kick = new EventDescriptor(system);
  const interrupt = new EventDescriptor(system);
  vm.addIoeventfd(kick.fd, address + VIRTIO_MMIO_QUEUE_NOTIFY);
  vm.addIrqfd(interrupt.fd, line);
  const events = { kick, interrupt, onBroken: system.log };
  const transport = new VirtioTransport(device, { ...rest, ...events });
  const word = `virtio_mmio.device=4K@0x${address.toString(16)}:${line}`;
  return { transport, kick: kick.fd, word };
}

/** Runs the devices, and lets them finish what the guest had handed over before it ended. */
function serve(loop: EventLoop, mailbox: Mailbox): string {
  loop.run();
  for (let turns = 0; turns < LAST_TURNS && loop.turn(0) > 0; turns++);
  return mailbox.read() ?? "";
}

const LAST_TURNS = 64;
