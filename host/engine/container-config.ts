/** What a container is asked to be: the engine's own terms, kept on disk as they are. */

import type { Rlimit } from "#protocol";
import type { NetworkSettings } from "./networks/network-settings.ts";
import type { MountConfig } from "./volumes/mount-config.ts";

/** The ways to store a container's root, see `STORAGE_DRIVERS`. */
export type StorageDriver = "overlay" | "block" | "reflink" | "virtiofs";

/** A tmpfs in the container. */
export interface TmpfsMount {
  /** absolute path in the container */
  readonly destination: string;
  /** options as mount(8) writes them */
  readonly options: readonly string[];
}

/** What may be done on a block device. */
export interface DeviceRate {
  /** as it was named */
  readonly path: string;
  /** in `bytes per second`, or `operations per second` */
  readonly rate: number;
}

/** A device that a container is given. */
export interface DeviceMapping {
  /** path on the host, or in the guest for devices that every kernel has */
  readonly source: string;
  /** path in the container */
  readonly path: string;
  readonly access: { readonly read: boolean; readonly write: boolean };
}

/** Limits as Docker states them; absent is "no limit" or Docker's default. */
export interface ResourceConfig {
  /** memory, in `bytes` */
  readonly memory?: number;
  /** soft limit of memory, in `bytes` */
  readonly memoryReservation?: number;
  /** memory plus swap, in `bytes`; -1 for unlimited swap */
  readonly memorySwap?: number;
  /** CPUs, in `billionths` of one */
  readonly nanoCpus?: number;
  /** relative weight, 2 to 262144 */
  readonly cpuShares?: number;
  /** CPU time per period, in `microseconds` */
  readonly cpuQuota?: number;
  /** period of the quota, in `microseconds` */
  readonly cpuPeriod?: number;
  /** CPUs that may be used, a list such as `0-2,4` */
  readonly cpusetCpus?: string;
  /** memory nodes that may be used; a machine has node 0 */
  readonly cpusetMems?: string;
  /** most processes and threads; 0 or -1 for no limit */
  readonly pids?: number;
  /** relative weight of reading and writing, 10 to 1000 */
  readonly blkioWeight?: number;
  /** how readily memory is swapped out, 0 to 100; where there is no swap a daemon discards it with a warning */
  readonly memorySwappiness?: number;
  /** whether nothing is killed for want of memory; a daemon discards it with a warning */
  readonly oomKillDisable?: boolean;
  /** most that may be read and written; absent: as fast as it goes */
  readonly deviceRates?: {
    readonly readBps?: readonly DeviceRate[];
    readonly writeBps?: readonly DeviceRate[];
    readonly readIops?: readonly DeviceRate[];
    readonly writeIops?: readonly DeviceRate[];
  };
}

/** Which virtual machine carries the container. */
export interface MachineChoice {
  readonly accelerator: "kvm" | "tcg" | "auto";
  readonly backend: "qemu" | "kvm" | "auto";
}

export interface ContainerConfig {
  /** image as the user wrote it */
  readonly image: string;
  /** `OS/ARCHITECTURE[/VARIANT]` of the image; absent: this machine's */
  readonly platform?: string;
  /** name of the container; absent: one is made up */
  readonly name?: string;
  /** arguments that replace the image's command; empty: the image's own */
  readonly command: readonly string[];
  /** replaces the image's entrypoint; empty: none */
  readonly entrypoint?: readonly string[];
  /** `NAME=value`, or `NAME` to unset it */
  readonly env: readonly string[];
  readonly workingDirectory?: string;
  /** `user[:group]`; absent: the image's */
  readonly user?: string;
  readonly groupAdd: readonly string[];
  /** absent: the first 12 digits of the id */
  readonly hostname?: string;
  readonly domainname?: string;
  /** whether the process has a terminal */
  readonly terminal: boolean;
  /** whether the process's input stays open */
  readonly openStdin: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** signal by name or number; absent: the image's, or SIGTERM */
  readonly stopSignal?: string;
  /** time between the stop signal and SIGKILL, in `seconds` */
  readonly stopTimeout?: number;
  readonly init: boolean;
  readonly readOnly: boolean;
  readonly privileged: boolean;
  readonly devices?: readonly DeviceMapping[];
  /** as `c 10:229 rwm` each */
  readonly deviceRules?: readonly string[];
  /** `private`: the container's users are others than the guest's, its root included; absent: the same */
  readonly userNamespace?: "private";
  /** whether the container is removed once it has ended */
  readonly autoRemove: boolean;
  readonly tmpfs: readonly TmpfsMount[];
  /** volumes, folders and files of the host */
  readonly mounts?: readonly MountConfig[];
  /** containers whose mounts this one has too, `CONTAINER[:ro|rw]` */
  readonly volumesFrom?: readonly string[];
  /** size of /dev/shm, in `bytes` */
  readonly shmSize?: number;
  /** capacity of the writable layer, in `bytes` */
  readonly storageSize?: number;
  /** what its root is stored in; absent: the usual one */
  readonly storageDriver?: StorageDriver;
  /** folder of the host that is its root, in place of an image; absolute */
  readonly rootfs?: string;
  readonly resources: ResourceConfig;
  readonly ulimits: readonly Rlimit[];
  readonly oomScoreAdj?: number;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** `default`, `unconfined`, or a profile as JSON text */
  readonly seccomp: string;
  readonly noNewPrivileges: boolean;
  readonly sysctls: Readonly<Record<string, string>>;
  /** lines of /etc/hosts, `address name` */
  readonly extraHosts: readonly string[];
  readonly dns: {
    readonly servers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  /** `none`, `user`, `bridge`, the name of a network; `default`: the first of them that this user can have */
  readonly network: string;
  readonly networking?: NetworkSettings;
  /** `container:ID`: the processes of that one are seen too; absent: its own alone */
  readonly pidMode?: string;
  /** `container:ID`: that one's IPC is its own too; `shareable`: others may have its; absent: neither */
  readonly ipcMode?: string;
  readonly machine: MachineChoice;
}
