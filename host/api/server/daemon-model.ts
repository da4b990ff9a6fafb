/** What the daemon's engine tells of containers, processes, images and itself: Docker's model in the engine's own terms. */

import type { ContainerConfig, ResourceConfig } from "../../engine/container-config.ts";
import type { ExecConfig } from "../../engine/daemon/model.ts";
import type { ContainerNetworks } from "../../engine/networks/container-networks.ts";
import type { MountPoint } from "../../engine/volumes/mount-config.ts";
import type { Healthcheck, RunConfig } from "../../image/config.ts";

export type { ExecConfig } from "../../engine/daemon/model.ts";
export type { ImageView } from "../../engine/images/image-view.ts";

/** Who asks, as the kernel says (SO_PEERCRED of the client's socket). */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

export interface RestartPolicy {
  readonly name: "no" | "always" | "on-failure" | "unless-stopped";
  /** most restarts of `on-failure`; 0 for no limit */
  readonly maximumRetryCount: number;
}

export interface LogConfig {
  readonly driver: "json-file" | "local" | "none";
  /** `max-size`, `max-file` and such, as the user wrote them */
  readonly options: Readonly<Record<string, string>>;
}

/** A container's configuration with what only a container of a daemon has. */
export interface DaemonContainerConfig extends ContainerConfig {
  /** whether the process's input closes when the first client that was attached to it leaves */
  readonly stdinOnce?: boolean;
  /** which streams the creating client said it would attach; told, not acted upon */
  readonly attach?: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** size of the terminal at the start, in characters */
  readonly terminalSize?: { readonly rows: number; readonly columns: number };
  readonly restartPolicy?: RestartPolicy;
  readonly log?: LogConfig;
  /** in place of the image's; a test of `NONE` takes that away */
  readonly healthcheck?: Healthcheck;
  /** `NUMBER/PROTOCOL` each, beside the image's; told, not acted upon */
  readonly exposedPorts?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

export interface HealthProbe {
  /** RFC 3339 */
  readonly start: string;
  readonly end: string;
  readonly exitCode: number;
  readonly output: string;
}

export interface HealthState {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  /** the last few probes, oldest first */
  readonly log: readonly HealthProbe[];
}

export interface ContainerViewState {
  readonly status: ContainerStatus;
  /** pid on the host of the virtual machine's process; absent: there is none */
  readonly pid?: number;
  /** RFC 3339; absent: never */
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly oomKilled: boolean;
  /** why it could not start, or ended without an exit code of its own */
  readonly error?: string;
  readonly health?: HealthState;
}

/** A container as it is now. */
export interface ContainerView {
  /** 64 hex digits */
  readonly id: string;
  readonly name: string;
  /** RFC 3339 */
  readonly created: string;
  /** uid of its owner; absent: the one whom the engine runs as */
  readonly owner?: number;
  readonly config: DaemonContainerConfig;
  readonly image: {
    readonly name: string;
    readonly manifestDigest: string;
    /** digest of the image's config; absent: not known */
    readonly imageId?: string;
    readonly run: RunConfig;
  };
  readonly state: ContainerViewState;
  /** its volumes, and what of the host it has; absent: none */
  readonly mounts?: readonly MountPoint[];
  /** restarts by its restart policy since its last start by a user */
  readonly restartCount?: number;
  /** ids of the commands that were made to run in it and are kept still */
  readonly execs?: readonly string[];
  /** where it is connected; absent: it does not run */
  readonly networks?: ContainerNetworks;
  /** path of the log on the host; absent: there is none */
  readonly logPath?: string;
}

export interface ContainerSizes {
  /** the writable layer, in `bytes` */
  readonly writable: number;
  /** the image and the writable layer, in `bytes` */
  readonly whole: number;
}

/** How a container ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly error?: string;
}

/** A piece of a container's output as it was logged. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** since the epoch, in `nanoseconds` */
  readonly time: bigint;
  /** one line with its line feed, or a part of a line that is too long for one entry */
  readonly bytes: Uint8Array;
}

export interface ExecView {
  /** 64 hex digits */
  readonly id: string;
  readonly container: string;
  readonly config: ExecConfig;
  readonly status: "created" | "running" | "exited";
  readonly exitCode?: number;
  /** in the guest; absent: not started */
  readonly pid?: number;
}

/** Counters of a running container at one moment. */
export interface StatsSample {
  /** RFC 3339 */
  readonly read: string;
  /** in `bytes` */
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly memoryInactiveFileBytes: number;
  /** CPU time used, in `microseconds` */
  readonly cpuMicroseconds: number;
  readonly cpuUserMicroseconds: number;
  readonly cpuSystemMicroseconds: number;
  /** CPU time that all CPUs of the container together could have given since a fixed moment, in `microseconds` */
  readonly systemCpuMicroseconds: number;
  readonly onlineCpus: number;
  readonly pids: number;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
  readonly networks: Readonly<
    Record<string, { readonly receivedBytes: number; readonly sentBytes: number }>
  >;
}

/** A path of a container that is not as in its image. */
export interface PathChange {
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

/** What a path in a container is. */
export interface PathStat {
  readonly name: string;
  /** in `bytes` */
  readonly size: number;
  /** type and permissions as stat(2) has them in `st_mode` */
  readonly mode: number;
  /** RFC 3339 */
  readonly modified: string;
  /** absolute; absent: no symbolic link */
  readonly linkTarget?: string;
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Something that happened. */
export interface DaemonEvent {
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  /** Docker's word, such as `start` or `exec_create: sh` */
  readonly action: string;
  /** id of what it happened to */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** since the epoch, in `nanoseconds` */
  readonly time: bigint;
  /** uid whose it is; absent: everybody may know */
  readonly owner?: number;
}

/** A step of a pull, push or load. */
export interface ImageProgress {
  /** layer or image that it is about; absent: all */
  readonly id?: string;
  readonly status: string;
  /** in `bytes` */
  readonly current?: number;
  readonly total?: number;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly serverAddress?: string;
}

export interface DaemonVersion {
  readonly version: string;
  /** release of the host's kernel */
  readonly kernel: string;
  /** name and version of each part, such as the guest's kernel */
  readonly components: readonly { readonly name: string; readonly version: string }[];
}

export interface DaemonInfo extends DaemonVersion {
  /** made once per data root */
  readonly id: string;
  readonly dataRoot: string;
  readonly images: number;
  /** how many warnings there are about the set-up, and what they say */
  readonly warnings: readonly string[];
}

export interface DiskUsage {
  /** all layers, each once, in `bytes` */
  readonly layers: number;
  readonly images: readonly {
    readonly id: string;
    /** used by other images too, in `bytes` */
    readonly shared: number;
    readonly containers: number;
  }[];
  readonly containers: readonly { readonly id: string; readonly sizes: ContainerSizes }[];
}

/** Limits and policy that can be changed of a container that runs. */
export interface ContainerUpdate {
  readonly resources: ResourceConfig;
  readonly restartPolicy?: RestartPolicy;
}
