/** Opens every file that a machine is made of, so that its VMM process needs no path. */

import { constants, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { FileDescriptor, O_PATH } from "../../sys/file-descriptor.ts";
import { openTap } from "../../sys/tap.ts";
import { connectUnix, listenUnix } from "../../sys/unix-socket.ts";
import { VmmError, type VmmErrorCode } from "../errors.ts";
import type { DiskConfig, MachineConfig, NetworkDeviceConfig } from "../hypervisor.ts";
import type { FileExtent, VmmConfig, VmmDisk } from "../kvm/vmm-config.ts";

/** Standard input, output and error of the VMM come first. */
const FIRST_DESCRIPTOR = 3;

/**
 * What the kernel must know of this machine besides its devices. The virtio console comes late; until then what
 * is urgent goes to the debug serial port. A panic resets the machine at once, and a reset ends it. There is a watchdog,
 * for an agent that finds this word of it.
 */
const KERNEL_WORDS = [
  ...["earlyprintk=serial,ttyS0", "console=hvc0", "panic=-1", "reboot=k"],
  "ib700wdt.timeout=30",
];

/** Names of the files in a machine's run directory. */
export const RunFile = {
  agentSocket: "agent.sock",
  controlSocket: "control.sock",
  consoleLog: "console.log",
  exitRecord: "exit.json",
  identity: "vmm.json",
  vmmLog: "vmm.log",
} as const;

/** The descriptors that the VMM is to inherit, in order, and what it is told about them. */
export interface OpenedMachine extends Disposable {
  /** to be passed as descriptors 3, 4 and so on */
  readonly descriptors: readonly number[];
  readonly config: VmmConfig;
}

export interface OpenMachineOptions {
  readonly detached: boolean;
  /** files of the template that the machine becomes: then what stands behind disks and networks is not touched */
  readonly saveTo?: { readonly memory: string; readonly state: string };
  /** descriptors of the template that it is a clone of, which are the caller's */
  readonly cloneOf?: { readonly memory: number; readonly state: number };
}

/**
 * Opens all files of `machine`; a file that occurs more than once is opened once.
 *
 * @throws {VmmError} naming the file that cannot be opened
 */
export function openMachine(machine: MachineConfig, options: OpenMachineOptions): OpenedMachine {
  const { detached, saveTo } = options;
  using table = new DescriptorTable();
  const inRun = (name: string): string => join(machine.runDirectory, name);
  const { O_RDWR, O_CREAT, O_APPEND, O_TRUNC, O_WRONLY } = constants;
  const fds = {
    kvm: table.open("/dev/kvm", O_RDWR, "VMM_KVM_UNUSABLE"),
    kernel: table.open(machine.kernel, 0, "VMM_KERNEL_NOT_FOUND"),
    initramfs: table.open(machine.initramfs, 0, "VMM_INITRAMFS_NOT_FOUND"),
    console: table.open(inRun(RunFile.consoleLog), O_RDWR | O_CREAT | O_APPEND | O_TRUNC),
    exit: table.open(inRun(RunFile.exitRecord), O_WRONLY | O_CREAT | O_TRUNC),
    agent: table.add("the agent's socket", () => listenAt(inRun(RunFile.agentSocket))),
    control: table.add("the control socket", () => listenAt(inRun(RunFile.controlSocket))),
  };
  const config: VmmConfig = {
    memoryMiB: machine.memoryMiB,
    vcpus: machine.vcpus,
    detached,
    parent: process.pid,
    commandLine: [...machine.commandLine, ...KERNEL_WORDS].join(" "),
    disks: machine.disks.map((disk) =>
      saveTo === undefined ? openDisk(table, disk) : { ...disk, ...BLANK },
    ),
    networks: machine.networks.map(({ mac, backend }) => ({
      mac,
      kind: backend.kind,
      ...(saveTo === undefined && { fd: openNetwork(table, backend) }),
    })),
    shares: machine.shares.map(({ name, path, readOnly }) => ({
      name,
      kind: statSync(path, { throwIfNoEntry: false })?.isDirectory() === false ? "file" : "folder",
      readOnly,
      fd: table.open(path, O_PATH),
    })),
    ...openTemplate(table, options),
    fds,
  };
  const held = table.move();
  return { descriptors: held.numbers, config, [Symbol.dispose]: () => held[Symbol.dispose]() };
}

const BLANK = { source: { kind: "blank" }, disposable: false } as const;

function openTemplate(
  table: DescriptorTable,
  { saveTo, cloneOf }: OpenMachineOptions,
): Pick<VmmConfig, "template"> {
  const { O_RDWR, O_CREAT } = constants;
  if (saveTo !== undefined) {
    const memory = table.open(saveTo.memory, O_RDWR | O_CREAT);
    const state = table.open(saveTo.state, O_RDWR | O_CREAT);
    return { template: { role: "save", memory, state } };
  }
  if (cloneOf === undefined) return {};
  const { memory, state } = cloneOf;
  return { template: { role: "clone", memory: table.lend(memory), state: table.lend(state) } };
}

function openDisk(
  table: DescriptorTable,
  { source, disposable = false, ...disk }: DiskConfig,
): VmmDisk {
  const { O_RDONLY, O_RDWR } = constants;
  const open = (path: string, flags: number): number =>
    table.open(path, flags, "VMM_DISK_NOT_FOUND");
  if (source.kind === "extents") {
    const extents = source.extents.map((extent): FileExtent => {
      if (extent.kind === "zero") return extent;
      const { kind, path, offset, length } = extent;
      return { kind, fd: open(path, O_RDONLY), offset, length };
    });
    return { ...disk, readOnly: true, disposable, source: { kind: "extents", extents } };
  }
  if (source.format !== "raw") {
    throw new VmmError("VMM_UNSUPPORTED", `the kvm backend reads no ${source.format} disks`, {
      hint: "use `--vmm qemu`, or a storage driver whose disks are raw: `--storage-opt driver=overlay`",
    });
  }
  const fd = open(source.path, disk.readOnly ? O_RDONLY : O_RDWR);
  return { ...disk, disposable, source: { kind: "raw", fd } };
}

function openNetwork(table: DescriptorTable, backend: NetworkDeviceConfig["backend"]): number {
  return backend.kind === "tap"
    ? table.add(`tap device ${backend.name}`, () => openTap(backend.name))
    : table.add(`socket ${backend.path}`, () => connectUnix(backend.path));
}

/** By way of the folder's descriptor: a socket's path is short, a folder's is not. */
function listenAt(path: string): FileDescriptor {
  rmSync(path, { force: true });
  using folder = FileDescriptor.open(dirname(path), constants.O_DIRECTORY);
  return listenUnix(`/proc/self/fd/${folder.number}/${basename(path)}`);
}

/** Descriptors of this process by the numbers that they will have in the child. */
class DescriptorTable implements Disposable {
  #numbers: number[] = [];
  #owned: FileDescriptor[] = [];
  readonly #byPath = new Map<string, number>();

  get numbers(): readonly number[] {
    return this.#numbers;
  }

  open(path: string, flags: number, code: VmmErrorCode = "VMM_CONFIG_INVALID"): number {
    const key = `${flags} ${path}`;
    const known = this.#byPath.get(key);
    if (known !== undefined) return known;
    const index = this.add(path, () => FileDescriptor.open(path, flags), code);
    this.#byPath.set(key, index);
    return index;
  }

  add(what: string, open: () => FileDescriptor, code: VmmErrorCode = "VMM_CONFIG_INVALID"): number {
    try {
      const descriptor = open();
      this.#owned.push(descriptor);
      return this.lend(descriptor.number);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new VmmError(code, `cannot open ${what}: ${reason}`, { cause, stage: "spawn" });
    }
  }

  /** A descriptor that stays the caller's. */
  lend(number: number): number {
    this.#numbers.push(number);
    return FIRST_DESCRIPTOR + this.#numbers.length - 1;
  }

  /** Hands the descriptors to a new owner. */
  move(): DescriptorTable {
    const owner = new DescriptorTable();
    [owner.#numbers, owner.#owned] = [this.#numbers, this.#owned];
    this.#owned = [];
    return owner;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#owned) descriptor[Symbol.dispose]();
  }
}
