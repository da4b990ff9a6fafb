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
 * is urgent goes to the debug serial port. A panic resets the machine at once, and a reset ends it.
 */
const KERNEL_WORDS = ["earlyprintk=serial,ttyS0", "console=hvc0", "panic=-1", "reboot=k"];

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

/**
 * Opens all files of `machine`; a file that occurs more than once is opened once.
 *
 * @throws {VmmError} naming the file that cannot be opened
 */
export function openMachine(
  machine: MachineConfig,
  { detached }: { readonly detached: boolean },
): OpenedMachine {
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
    disks: machine.disks.map((disk) => openDisk(table, disk)),
    networks: machine.networks.map(({ mac, backend }) => ({
      mac,
      kind: backend.kind,
      fd: openNetwork(table, backend),
    })),
    shares: machine.shares.map(({ name, path, readOnly }) => ({
      name,
      kind: statSync(path, { throwIfNoEntry: false })?.isDirectory() === false ? "file" : "folder",
      readOnly,
      fd: table.open(path, O_PATH),
    })),
    fds,
  };
  const held = table.move();
  return { descriptors: held.numbers, config, [Symbol.dispose]: () => held[Symbol.dispose]() };
}

function openDisk(table: DescriptorTable, disk: DiskConfig): VmmDisk {
  const { serial, readOnly, source, limits, disposable = false } = disk;
  if (source.kind === "extents") {
    const extents = source.extents.map(
      (extent): FileExtent =>
        extent.kind === "zero"
          ? extent
          : {
              kind: "file",
              fd: table.open(extent.path, constants.O_RDONLY, "VMM_DISK_NOT_FOUND"),
              offset: extent.offset,
              length: extent.length,
            },
    );
    return {
      serial,
      readOnly: true,
      disposable,
      ...(limits && { limits }),
      source: { kind: "extents", extents },
    };
  }
  const flags = readOnly ? constants.O_RDONLY : constants.O_RDWR;
  if (source.format !== "raw") {
    throw new VmmError("VMM_UNSUPPORTED", `the kvm backend reads no ${source.format} disks`, {
      hint: "use `--vmm qemu`, or convert the disk: `qemu-img convert -O raw`",
    });
  }
  const fd = table.open(source.path, flags, "VMM_DISK_NOT_FOUND");
  return { serial, readOnly, disposable, ...(limits && { limits }), source: { kind: "raw", fd } };
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
  #descriptors: FileDescriptor[] = [];
  readonly #byPath = new Map<string, number>();

  get numbers(): number[] {
    return this.#descriptors.map(({ number }) => number);
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
      this.#descriptors.push(open());
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new VmmError(code, `cannot open ${what}: ${reason}`, { cause, stage: "spawn" });
    }
    return FIRST_DESCRIPTOR + this.#descriptors.length - 1;
  }

  /** Hands the descriptors to a new owner. */
  move(): DescriptorTable {
    const owner = new DescriptorTable();
    owner.#descriptors = this.#descriptors;
    this.#descriptors = [];
    return owner;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) descriptor[Symbol.dispose]();
  }
}
