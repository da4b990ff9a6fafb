/** The one interface that every hypervisor backend offers; only the factory asks which it is. */

import type { Duplex } from "node:stream";
import type { Extent } from "../rootfs/extent.ts";

/** How guest instructions are executed. */
export type Accelerator = "kvm" | "tcg";

/** What one direction of a disk may use at most; undefined for no limit. */
export interface RateLimit {
  /** in `bytes per second` */
  readonly bytesPerSecond?: number;
  /** in `operations per second` */
  readonly operationsPerSecond?: number;
}

/** What a disk may use at most. */
export interface DiskLimits {
  readonly read?: RateLimit;
  readonly write?: RateLimit;
}

/** A virtio block device. */
export interface DiskConfig {
  /** serial that the guest finds it by, at most 20 ASCII bytes (virtio 1.2 §5.2.6.1, VIRTIO_BLK_T_GET_ID) */
  readonly serial: string;
  /** whether the guest may write */
  readonly readOnly: boolean;
  /** whether it goes with the machine: nothing on it needs to outlive the host's memory */
  readonly disposable?: boolean;
  /** what stands behind the disk */
  readonly source:
    | { readonly kind: "extents"; readonly extents: readonly Extent[] }
    | {
        readonly kind: "file";
        readonly path: string;
        readonly format: "raw" | "qcow2";
        /** raw disk below a qcow2, which leaves it as it is; what the qcow2 itself says of it does not count */
        readonly backing?: string;
        /** whether the path is that of a block device */
        readonly isDevice?: boolean;
      };
  readonly limits?: DiskLimits;
}

/** A virtio network device. */
export interface NetworkDeviceConfig {
  /** MAC address, lower case with colons */
  readonly mac: string;
  /** what carries its frames; a tap device exists already and persists, for the VMM may not make one */
  readonly backend:
    | { readonly kind: "tap"; readonly name: string }
    /** stream socket with frames prefixed by a 32-bit big-endian length (passt, QEMU) */
    | { readonly kind: "stream"; readonly path: string };
}

/** Tag of the file system in which the guest finds all that is shared with it. */
export const SHARE_TAG = "dvm";

/**
 * A folder or a single file of the host that is shared over virtio-fs. The shares of a machine are one file system, for
 * a machine has few devices: in its root, which is read-only, each has its name. A backend that has devices enough may
 * give each one of its own, whose tag is the name; the guest looks for both.
 */
export interface ShareConfig {
  /** name in the root, at most 36 letters, digits, dots and dashes (virtio 1.2 §5.11.4) */
  readonly name: string;
  /** absolute path of the folder or file */
  readonly path: string;
  /** whether the host refuses writes */
  readonly readOnly: boolean;
}

/** Everything that a virtual machine is made of. */
export interface MachineConfig {
  /** name for logs and errors */
  readonly id: string;
  /** uncompressed PVH vmlinux */
  readonly kernel: string;
  /** uncompressed cpio archive (newc) */
  readonly initramfs: string;
  /** words of the kernel command line, before those that the backend adds for its devices */
  readonly commandLine: readonly string[];
  /** guest memory, in `MiB` */
  readonly memoryMiB: number;
  /** number of vCPUs */
  readonly vcpus: number;
  readonly disks: readonly DiskConfig[];
  readonly networks: readonly NetworkDeviceConfig[];
  readonly shares: readonly ShareConfig[];
  /** existing private folder for sockets, descriptors and the console log of this VM */
  readonly runDirectory: string;
}

/** Why a virtual machine is no more. */
export type MachineExit =
  | { readonly reason: "poweroff" }
  /**
   * The guest reset its machine. There being no ACPI, this is how a guest ends in order, by LINUX_REBOOT_CMD_RESTART;
   * QEMU reports a triple fault as the same.
   */
  | { readonly reason: "reboot" }
  | { readonly reason: "panic"; readonly message: string }
  | { readonly reason: "triple-fault" }
  /** the guest had not told its watchdog for too long that it lives */
  | { readonly reason: "watchdog" }
  | { readonly reason: "killed"; readonly signal: string }
  | { readonly reason: "vmm-error"; readonly message: string };

/**
 * A stage of the start, in order; every stage has a deadline. `spawn`: the VMM is a process; `configure`: it has
 * made the machine; `boot`: the guest has opened the agent's port; `agent`: the agent has sent its first byte.
 */
export type MachineStage = "spawn" | "configure" | "boot" | "agent";

export interface StartOptions {
  /** deadlines of single stages that replace the backend's own, in `milliseconds` */
  readonly deadlines?: Partial<Readonly<Record<MachineStage, number>>>;
  /** whether the VM outlives this process, to be taken over by `Hypervisor.adopt`; else it dies with it */
  readonly detached?: boolean;
  /** aborts the start; whatever exists by then is torn down */
  readonly signal?: AbortSignal;
  /** called when a stage is over, with its length in `milliseconds` */
  readonly onStage?: (stage: MachineStage, milliseconds: number) => void;
  /**
   * has the machine go on where another one was saved, which had the same configuration but for what stands behind disks
   * and cards; rejects with VMM_UNSUPPORTED when this backend, or this version of it, cannot read the file
   */
  readonly restoreFrom?: SavedMachine;
  /** whether it boots even where there is a template */
  readonly fresh?: boolean;
  /** called when it is known whether the machine is a clone; not at all for one that can be none */
  readonly onTemplate?: (use: TemplateUse) => void;
}

/** What became of the template for a machine: `unusable` and `missing` mean that it boots. */
export type TemplateUse =
  | { readonly kind: "cloned" }
  | { readonly kind: "missing" }
  | { readonly kind: "unusable"; readonly reason: string };

/** A running virtual machine; disposing of it kills it and leaves nothing behind. */
export interface Machine extends AsyncDisposable {
  /** process id of the VMM */
  readonly pid: number;
  /** of a clone: the MAC addresses that its network devices have in the guest, which has to give them their own */
  readonly clonedMacs?: readonly string[];
  /** to be called when the first process of its container runs; absent: nobody needs to know */
  noteRunning?: () => void;
  /** byte stream to the guest agent's virtio-console port; what it gives is valid during the call alone */
  readonly agent: Duplex;
  /** settles when the VM has ended, never rejects */
  readonly exit: Promise<MachineExit>;
  /** the last `lines` lines that the guest kernel wrote on its console */
  consoleTail(lines: number): string;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /**
   * Adds disks, which the guest finds by their serials a moment later. Absent: machines of this backend keep the disks
   * that they have started with. Rejects with VMM_UNSUPPORTED when this machine has no place for further ones; none is
   * there then.
   */
  plugDisks?(disks: readonly DiskConfig[]): Promise<void>;
  /**
   * Replaces what its disks may use, all together; undefined for no limits. Absent: machines of this backend keep the
   * limits that they have started with.
   */
  setDiskLimits?(limits: DiskLimits | undefined): Promise<void>;
  /** Takes disks that were plugged away again, which the guest has given up; resolves when their files are free. */
  unplugDisks?(serials: readonly string[]): Promise<void>;
  /**
   * Writes a paused machine, memory and all, to a new file; what stands behind its disks is the caller's to copy. The
   * machine stays paused. Absent: machines of this backend cannot be saved.
   *
   * @param disks the machine's
   * @returns what a start needs to know of the file, as text
   */
  saveTo?(path: string, disks: readonly DiskConfig[]): Promise<string>;
  /** ends the VM at once */
  kill(): Promise<void>;
}

/** A machine that `Machine.saveTo` has written. */
export interface SavedMachine {
  readonly path: string;
  /** what `Machine.saveTo` has returned */
  readonly format: string;
}

export interface SaveTemplateOptions {
  readonly signal?: AbortSignal;
  /** whether everything else on the host goes first */
  readonly background?: boolean;
  /** what the machine has done before, so that its clones do it faster; absent: nothing */
  readonly warmUp?: WarmUp;
}

/** Work that a machine does once before it is anybody's. */
export interface WarmUp {
  /** what stands behind the machine's first disks meanwhile, in the order of its configuration */
  readonly disks: readonly DiskConfig[];
  /** does it; no disk is in use when it settles, and the agent waits for requests */
  readonly run: (machine: Machine) => Promise<void>;
}

export interface PrepareOptions {
  readonly signal?: AbortSignal;
  /** called as soon as there is a process, which outlives us from then on */
  readonly onProcess?: (pid: number) => void;
  readonly warmUp?: WarmUp;
}

/**
 * A clone that is paused and nobody's yet: it has no disks, and the taps of its configuration. It outlives this process
 * as a detached machine does; disposing of it kills it, unless it has become a container's.
 */
export interface SpareMachine extends AsyncDisposable {
  /** process id of the VMM */
  readonly pid: number;
  /** settles when it has ended, never rejects */
  readonly exit: Promise<MachineExit>;
  /** Gives it the disks of a machine of its shape, moves its sockets, and lets it run. */
  become(config: MachineConfig): Promise<Machine>;
}

export interface Hypervisor {
  readonly name: "qemu" | "kvm";
  readonly accelerator: Accelerator;
  /**
   * What its spares are: clones that have their cards and have run already, or processes that open everything when they
   * are taken. Absent: it has none.
   */
  readonly spares?: "warm" | "unstarted";
  /** Resolves when the agent has sent its first byte, not yet read; rejects with a `VmmError` that names the stage. */
  start(config: MachineConfig, options?: StartOptions): Promise<Machine>;
  /**
   * Boots a machine of the same shape, up to the agent's first byte, and saves it for later starts to clone; what
   * stands behind disks and networks is not touched. Absent: this backend has no templates.
   *
   * @returns whether there is one now; false: a machine of this shape can have none
   */
  saveTemplate?(config: MachineConfig, options?: SaveTemplateOptions): Promise<boolean>;
  /** Removes the template of this shape, which has proved to be of no use. */
  rejectTemplate?(config: MachineConfig): Promise<void>;
  /**
   * Makes a clone of the template of this shape ready ahead of time, in the configuration's run directory. Absent: this
   * backend cannot.
   *
   * @returns nothing where there is no template, or the shape's machines cannot be prepared
   */
  prepare?(config: MachineConfig, options?: PrepareOptions): Promise<SpareMachine | undefined>;
  /**
   * What a spare machine for this configuration is made from: only one that was prepared under the same key fits it.
   *
   * @returns nothing where there is no template
   */
  shapeKey?(config: MachineConfig): Promise<string | undefined>;
  /**
   * Takes over a VM that another process started detached in this run directory. Absent: this backend's VMs do not
   * outlive the process that started them. Rejects with VMM_GONE when there is none.
   */
  adopt?(vm: AdoptedMachine): Promise<Machine>;
}

/** A machine of another process. */
export interface AdoptedMachine extends Pick<MachineConfig, "id" | "runDirectory"> {
  /** those that it was started with: it was maybe being saved when that process ended, and is without them */
  readonly disks?: readonly DiskConfig[];
}
