/** The machine, from the first KVM call to the last: this file reads as the life of a VM. */

import type { Disk } from "../devices/block/disk.ts";
import { ExtentDisk } from "../devices/block/extent-disk.ts";
import { RawDisk } from "../devices/block/raw-disk.ts";
import { DiskLimiter } from "../devices/block/token-bucket.ts";
import { FuseServer } from "../devices/fs/fuse-server.ts";
import { StreamLink } from "../devices/net/stream-link.ts";
import { TapLink } from "../devices/net/tap-link.ts";
import { VirtioBalloon } from "../devices/virtio/balloon.ts";
import { VirtioBlock } from "../devices/virtio/block.ts";
import { VirtioConsole } from "../devices/virtio/console.ts";
import { ConsoleLogPort } from "../devices/virtio/console-log.ts";
import { ConsoleSocketPort } from "../devices/virtio/console-socket.ts";
import type { VirtioDevice } from "../devices/virtio/device.ts";
import { VirtioFs } from "../devices/virtio/fs.ts";
import { VirtioNet } from "../devices/virtio/net.ts";
import { VIRTIO_MMIO_QUEUE_NOTIFY } from "../devices/virtio/registers.ts";
import { VirtioRng } from "../devices/virtio/rng.ts";
import { VirtioTransport } from "../devices/virtio/transport.ts";
import type { DiskLimits } from "../hypervisor.ts";
import { createGuestMemory, type GuestMemory } from "../memory/guest-memory.ts";
import {
  memoryRanges,
  VIRTIO_DEVICES_LIMIT,
  VIRTIO_FIRST_IRQ,
  VIRTIO_MMIO_START,
  VIRTIO_MMIO_STRIDE,
} from "../x86_64/layout.ts";
import { MP_TABLE_VCPUS_LIMIT } from "../x86_64/mp-table.ts";
import { loadGuest } from "./boot.ts";
import { KvmError } from "./errors.ts";
import { EventDescriptor } from "./event-descriptor.ts";
import { EventLoop } from "./event-loop.ts";
import { Mailbox } from "./mailbox.ts";
import { ExitCounters, serveStatistics } from "./statistics.ts";
import type { System } from "./system.ts";
import { createVcpu, type Vcpu } from "./vcpu.ts";
import { Vm } from "./vm.ts";
import type { VmmConfig, VmmDisk } from "./vmm-config.ts";

/** Tag of the file system that all shares are in, by which the guest's agent mounts it. */
const SHARE_TAG = "dvm";

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
  /** descriptor that tells the device thread of the mailbox */
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
  const memory = createGuestMemory(system, memoryRanges(config.memoryMiB));
  vm.setMemory(memory);

  const loop = new EventLoop(system);
  const slots = createDevices(system, config, onGuestOpen).map((device, index) =>
    plug(device, { system, vm, memory, loop, index }),
  );
  const entry = loadGuest(system, {
    memory,
    kernel: config.fds.kernel,
    initramfs: config.fds.initramfs,
    commandLine: [config.commandLine, ...slots.map(({ word }) => word)].join(" "),
    vcpus: config.vcpus,
  });

  const mailbox = new Mailbox();
  const counters = new ExitCounters(config.vcpus);
  const control = new EventDescriptor(system);
  loop.watch(control.fd, () => loop.stop()).events = 1;
  const tasks = Array.from({ length: config.vcpus }, (_, id) => ({
    vcpu: createVcpu(system, vm, { id, vcpus: config.vcpus, entry }),
    blocks: slots.map(({ transport }) => transport.block.shared),
    kicks: slots.map(({ kick }) => kick),
    console: config.fds.console,
    exits: counters.shared,
    mailbox: mailbox.shared,
    control: control.fd,
  }));
  const vcpus = tasks.map(({ vcpu }) => vcpu.fd);
  serveStatistics(system, { loop, began, listener: config.fds.control, counters, vcpus });
  return { tasks, serve: () => serve(loop, mailbox) };
}

/** All devices, in the order of their addresses. */
function createDevices(system: System, config: VmmConfig, onGuestOpen: () => void): VirtioDevice[] {
  const console = new VirtioConsole([
    new ConsoleLogPort(system, config.fds.console),
    new ConsoleSocketPort(system, { name: "dvm.agent", listener: config.fds.agent, onGuestOpen }),
  ]);
  const limiters = new Map<string, DiskLimiter>(); // disks with the same limits have them together
  const limiterOf = (limits: DiskLimits | undefined): DiskLimiter | undefined => {
    if (limits === undefined) return undefined;
    const key = JSON.stringify(limits);
    const limiter = limiters.get(key) ?? new DiskLimiter(limits, system.now());
    limiters.set(key, limiter);
    return limiter;
  };
  const disks = config.disks.map(
    ({ serial, limits, ...rest }) =>
      new VirtioBlock(system, { serial, limiter: limiterOf(limits), disk: openDisk(system, rest) }),
  );
  const cards = config.networks.map(
    ({ mac, kind, fd }) =>
      new VirtioNet(kind === "tap" ? new TapLink(system, fd) : new StreamLink(system, fd), mac),
  );
  const shares =
    config.shares.length > 0
      ? [new VirtioFs(new FuseServer(system, config.shares), SHARE_TAG)]
      : [];
  const [rng, balloon] = [new VirtioRng(system), new VirtioBalloon(system)];
  return [console, rng, balloon, ...disks, ...cards, ...shares];
}

function openDisk(
  system: System,
  { source, readOnly, disposable }: Pick<VmmDisk, "source" | "readOnly" | "disposable">,
): Disk {
  if (source.kind === "extents") return new ExtentDisk(system, source.extents);
  const disk = new RawDisk(system, source.fd, { disposable });
  return readOnly ? { length: disk.length, read: (offset, data) => disk.read(offset, data) } : disk;
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
    memory,
    loop,
    index,
  }: { system: System; vm: Vm; memory: GuestMemory; loop: EventLoop; index: number },
): Slot {
  if (index >= VIRTIO_DEVICES_LIMIT) {
    throw new KvmError(`more than ${VIRTIO_DEVICES_LIMIT} devices`);
  }
  const address = VIRTIO_MMIO_START + index * VIRTIO_MMIO_STRIDE;
  const line = VIRTIO_FIRST_IRQ + index;
  const kick = new EventDescriptor(system);
  const interrupt = new EventDescriptor(system);
  vm.addIoeventfd(kick.fd, address + VIRTIO_MMIO_QUEUE_NOTIFY);
  vm.addIrqfd(interrupt.fd, line);
  const transport = new VirtioTransport(device, {
    memory,
    loop,
    kick,
    interrupt,
    onBroken: system.log,
  });
  return {
    transport,
    kick: kick.fd,
    word: `virtio_mmio.device=4K@0x${address.toString(16)}:${line}`,
  };
}

/** Runs the devices, and lets them finish what the guest had handed over before it ended. */
function serve(loop: EventLoop, mailbox: Mailbox): string {
  loop.run();
  for (let turns = 0; turns < LAST_TURNS && loop.turn(0) > 0; turns++);
  return mailbox.read() ?? "";
}

const LAST_TURNS = 64;
