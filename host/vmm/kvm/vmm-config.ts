/** What a VMM process is told: the machine, with an open descriptor wherever the host side had a path. */

import type { DiskLimits } from "../hypervisor.ts";

/** A run of a joined disk; lengths and offsets in `bytes`. */
export type FileExtent =
  | { readonly kind: "file"; readonly fd: number; readonly offset: number; readonly length: number }
  | { readonly kind: "zero"; readonly length: number };

export interface VmmDisk {
  /** at most 20 ASCII bytes */
  readonly serial: string;
  readonly readOnly: boolean;
  /** whether a flush of the guest need not reach stable storage */
  readonly disposable: boolean;
  readonly limits?: DiskLimits;
  readonly source:
    | { readonly kind: "extents"; readonly extents: readonly FileExtent[] }
    | { readonly kind: "raw"; readonly fd: number }
    | {
        readonly kind: "qcow2";
        readonly fd: number;
        /** the raw disk below */
        readonly backing?: { readonly fd: number };
      }
    /** stands for any disk, in a machine that becomes a template */
    | { readonly kind: "blank" };
}

export interface VmmNetwork {
  /** lower case with colons */
  readonly mac: string;
  readonly kind: "tap" | "stream";
  /** absent in a machine that becomes a template: the card leads nowhere */
  readonly fd?: number;
}

export interface VmmShare {
  /** name in the root of the shared file system, ASCII */
  readonly name: string;
  readonly kind: "folder" | "file";
  /** O_PATH descriptor */
  readonly fd: number;
  readonly readOnly: boolean;
}

/** A machine that was saved. */
export interface VmmTemplate {
  /** file of the guest's memory, to be mapped privately */
  readonly memory: number;
  /** parts of it that the guest touches at once */
  readonly runs: readonly { readonly offset: number; readonly length: number }[];
  /** file of the state, see `MachineState` */
  readonly state: number;
}

export interface VmmConfig {
  /** guest memory, in `MiB` */
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** whether the VMM outlives the process that started it */
  readonly detached: boolean;
  /** id of that process */
  readonly parent: number;
  /** kernel command line, before the words that the VMM adds for its devices */
  readonly commandLine: string;
  readonly disks: readonly VmmDisk[];
  readonly networks: readonly VmmNetwork[];
  readonly shares: readonly VmmShare[];
  /** of which it is a clone */
  readonly template?: VmmTemplate;
  readonly fds: {
    /** the KVM device */
    readonly kvm: number;
    /** uncompressed vmlinux */
    readonly kernel: number;
    /** uncompressed initramfs */
    readonly initramfs: number;
    /** console log, opened for reading and appending */
    readonly console: number;
    /** listening socket of the agent's port, non-blocking */
    readonly agent: number;
    /** listening socket of those who send a `ControlRequest`, non-blocking */
    readonly control: number;
    /** listening socket of those who save the machine, see `serveSaves`, non-blocking */
    readonly save: number;
    /** where the reason of the end is written, one line of JSON */
    readonly exit: number;
  };
}
