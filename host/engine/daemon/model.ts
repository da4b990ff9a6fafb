/** What the daemon's engine tells of its containers and takes for them, in its own terms. */

import type { Healthcheck, RunConfig } from "../../image/config.ts";
import type { ContainerConfig, ResourceConfig } from "../container-config.ts";
import type { ContainerState } from "../container-record.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";
import type { MountPoint } from "../volumes/mount-config.ts";

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

export interface ContainerViewState extends ContainerState {
  /** pid on the host of the virtual machine's process; absent: there is none */
  readonly pid?: number;
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

/** A piece of a container's output as it was logged. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr";
  /** since the epoch, in `nanoseconds` */
  readonly time: bigint;
  /** one line with its line feed, or a part of a line that is too long for one entry */
  readonly bytes: Uint8Array;
}

export interface LogRequest {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** whether to go on until the container ends */
  readonly follow: boolean;
  /** since the epoch, in `nanoseconds` */
  readonly since?: bigint;
  readonly until?: bigint;
  /** how many lines from the end; absent: all */
  readonly tail?: number;
  readonly signal: AbortSignal;
}

/** A command to run in a running container. */
export interface ExecConfig {
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly privileged: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly detachKeys?: string;
  readonly terminalSize?: { readonly rows: number; readonly columns: number };
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

/** Limits and policy that can be changed of a container that runs. */
export interface ContainerUpdate {
  readonly resources: ResourceConfig;
  readonly restartPolicy?: RestartPolicy;
}

export interface ContainerSizes {
  /** the writable layer, in `bytes` */
  readonly writable: number;
  /** the image and the writable layer, in `bytes` */
  readonly whole: number;
}

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface StopOptions {
  /** number, 1 to 64; absent: the container's own */
  readonly signal?: number;
  /** in `seconds`, negative for no end; absent: the container's own */
  readonly timeout?: number;
}
