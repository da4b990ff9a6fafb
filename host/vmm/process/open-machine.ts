/** Opens every file that a machine is made of, so that its VMM process needs no path. */

import { constants, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { FileDescriptor, O_PATH } from "../../sys/file-descriptor.ts";
import { openTap } from "../../sys/tap.ts";
import { connectUnix, listenUnix } from "../../sys/unix-socket.ts";
import { VmmError, type VmmErrorCode } from "../errors.ts";
import type { DiskConfig, MachineConfig, NetworkDeviceConfig } from "../hypervisor.ts";
import type { FileExtent, VmmConfig, VmmDisk } from "../kvm/vmm-config.ts";
import type { SavedFiles } from "../template/saved-files.ts";

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
  saveSocket: "save.sock",
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
  /** whether it becomes a template: then what stands behind disks and networks is not touched */
  readonly blank?: boolean;
  /** files of the saved machine that it goes on from */
  readonly cloneOf?: SavedFiles;
  /** whether it runs in this process, which needs to inherit nothing */
  readonly here?: boolean;
}

/**
 * Opens all files of `machine`; a file that occurs more than once is opened once.
 *
 * @throws {VmmError} naming the file that cannot be opened
 */
export function openMachine(machine: MachineConfig, options: OpenMachineOptions): OpenedMachine {
  const { detached, blank = false, cloneOf, here = false } = options;
  using owned = new DisposableStack();
  const table = new DescriptorTable(owned, here ? undefined : FIRST_DESCRIPTOR);
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
    save: table.add("the saving socket", () => listenAt(inRun(RunFile.saveSocket))),
  };
  const config: VmmConfig = {
    memoryMiB: machine.memoryMiB,
    vcpus: machine.vcpus,
    detached,
    parent: process.pid,
    commandLine: [...machine.commandLine, ...KERNEL_WORDS].join(" "),
    disks: machine.disks.map((disk) => (blank ? { ...disk, ...BLANK } : openDisk(table, disk))),
    networks: machine.networks.map(({ mac, backend }) => ({
      mac,
      kind: backend.kind,
      ...(!blank && { fd: openNetwork(table, backend) }),
    })),
    shares: machine.shares.map(({ name, path, readOnly }) => ({
      name,
      kind: statSync(path, { throwIfNoEntry: false })?.isDirectory() === false ? "file" : "folder",
      readOnly,
      fd: table.open(blank ? machine.runDirectory : path, O_PATH),
    })),
    ...(cloneOf && {
      template: {
        memory: table.open(cloneOf.memory, 0),
        state: table.open(cloneOf.state, 0),
        runs: cloneOf.runs ?? [],
      },
    }),
    fds,
  };
  const held = owned.move();
  return { descriptors: table.numbers, config, [Symbol.dispose]: () => held.dispose() };
}

/** Disks for a machine that runs. */
export interface OpenedDisks extends Disposable {
  /** to be sent with these */
  readonly descriptors: readonly number[];
  /** name descriptors by their places among the former */
  readonly disks: readonly VmmDisk[];
}

/** @throws {VmmError} naming the file that cannot be opened */
export function openDisks(configs: readonly DiskConfig[]): OpenedDisks {
  using owned = new DisposableStack();
  const table = new DescriptorTable(owned, 0);
  const disks = configs.map((disk) => openDisk(table, disk));
  const held = owned.move();
  return { descriptors: table.numbers, disks, [Symbol.dispose]: () => held.dispose() };
}

const BLANK = { source: { kind: "blank" }, disposable: false } as const;

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
  const { format: kind, path, backing } = source;
  const fd = open(path, disk.readOnly ? O_RDONLY : O_RDWR);
  const below = backing !== undefined && { backing: { fd: open(backing, O_RDONLY) } };
  return { ...disk, disposable, source: { kind, fd, ...below } };
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

/** Descriptors of this process by the numbers that they have where the machine runs. */
class DescriptorTable {
  readonly numbers: number[] = [];
  readonly #owned: DisposableStack;
  readonly #first: number | undefined;
  readonly #byPath = new Map<string, number>();

  /**
   * @param owned closes them
   * @param first number of the first one there; undefined: those that they have here
   */
  constructor(owned: DisposableStack, first: number | undefined) {
    this.#owned = owned;
    this.#first = first;
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
      const { number } = this.#owned.use(open());
      this.numbers.push(number);
      return this.#first === undefined ? number : this.#first + this.numbers.length - 1;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new VmmError(code, `cannot open ${what}: ${reason}`, { cause, stage: "spawn" });
    }
  }
}
