/**
 * What the API server asks of the engine that a daemon hosts.
 *
 * Of a container only `find` takes what a user may name it by; everything else takes the full id that `find`
 * gave. The server has checked by then that the caller may touch it. Errors are DvmErrors; `statusOf` says which
 * code becomes which HTTP status. An `AbortSignal` is aborted when the client has gone.
 */

import type { Readable } from "node:stream";
import type { TerminalSize } from "#protocol";
import type { ContainerExit } from "../../engine/container-exit.ts";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import type { PathChange, PathStat } from "../../engine/daemon/container-files.ts";
import type {
  Caller,
  ContainerSizes,
  ContainerUpdate,
  ContainerView,
  DaemonContainerConfig,
  DaemonEvent,
  ExecConfig,
  ExecView,
  LogEntry,
  LogRequest,
  ProcessTable,
  StatsSample,
  StopOptions,
} from "../../engine/daemon/model.ts";
import type { CreateNetworkOptions, NetworkView } from "../../engine/networks/network-store.ts";
import type { DaemonInfo, DaemonVersion, DiskUsage } from "./daemon-model.ts";
import type { ImageCalls } from "./served-images.ts";
import type { VolumeCalls } from "./served-volumes.ts";
import type { SnapshotCalls } from "./snapshot-calls.ts";

/** A client at a process's streams. */
export interface Attachment {
  /** settles when the process's output has ended and was handed over, or after `detach`; never rejects */
  readonly done: Promise<void>;
  readonly detach: () => void;
}

export interface ContainerCalls {
  /** Those that the caller may see, newest first. */
  list(caller: Caller): Promise<readonly ContainerView[]>;
  /**
   * By name, id or unique start of an id, among those that the caller may see.
   *
   * @throws NO_SUCH_CONTAINER
   */
  find(reference: string, caller: Caller): Promise<ContainerView>;
  /** @throws CONFIG_INVALID, NAME_TAKEN, IMAGE_NOT_FOUND */
  create(
    config: DaemonContainerConfig,
    caller: Caller,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly name: string; readonly warnings?: readonly string[] }>;
  /** Goes on when the client goes away. @returns false when it was running already */
  start(id: string, caller: Caller): Promise<boolean>;
  /**
   * Joins a client to the streams, before the start or while it runs; resolved when output from here on will be
   * handed over. `logs`: what was logged so far comes first. `stream`: what is to come.
   */
  attach(
    id: string,
    caller: Caller,
    options: { readonly streams: ClientStreams; readonly logs: boolean; readonly stream: boolean },
  ): Promise<Attachment>;
  /**
   * Calls `onWaiting` once nothing that happens from then on is missed, then resolves with the end.
   * `not-running`: at once if it does not run. `next-exit`: never at once. `removed`: when it is gone.
   */
  wait(
    id: string,
    caller: Caller,
    options: {
      readonly condition: "not-running" | "next-exit" | "removed";
      readonly signal: AbortSignal;
      readonly onWaiting: () => void;
    },
  ): Promise<ContainerExit>;
  /**
   * Signals, waits, kills. A negative timeout waits for ever.
   *
   * @returns false when it did not run
   */
  stop(id: string, caller: Caller, options: StopOptions): Promise<boolean>;
  restart(id: string, caller: Caller, options: StopOptions): Promise<void>;
  /** @param signal number, 1 to 64 @throws WRONG_STATE when it does not run */
  kill(id: string, caller: Caller, signal: number): Promise<void>;
  pause(id: string, caller: Caller): Promise<void>;
  unpause(id: string, caller: Caller): Promise<void>;
  rename(id: string, caller: Caller, name: string): Promise<void>;
  remove(
    id: string,
    caller: Caller,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void>;
  resize(id: string, caller: Caller, size: TerminalSize): Promise<void>;
  top(id: string, caller: Caller, psArguments: readonly string[]): Promise<ProcessTable>;
  /** Counters now. @throws WRONG_STATE when it does not run */
  stats(id: string, caller: Caller): Promise<StatsSample>;
  logs(id: string, caller: Caller, request: LogRequest): AsyncIterable<LogEntry>;
  update(id: string, caller: Caller, update: ContainerUpdate): Promise<readonly string[]>;
  sizes(id: string, caller: Caller): Promise<ContainerSizes>;
}

export interface FileCalls {
  changes(id: string, caller: Caller): Promise<readonly PathChange[]>;
  /** The root file system as tar. */
  exportTar(id: string, caller: Caller, signal: AbortSignal): Promise<Readable>;
  /** @throws NO_SUCH_PATH */
  statPath(id: string, caller: Caller, path: string): Promise<PathStat>;
  readArchive(
    id: string,
    caller: Caller,
    options: { readonly path: string; readonly signal: AbortSignal },
  ): Promise<{ readonly stat: PathStat; readonly tar: Readable }>;
  writeArchive(id: string, caller: Caller, options: WriteArchiveOptions): Promise<void>;
}

export interface WriteArchiveOptions {
  /** folder to unpack into */
  readonly path: string;
  /** uncompressed, or gzip, bzip2, xz, zstd */
  readonly tar: Readable;
  readonly noOverwriteDirNonDir: boolean;
  readonly copyUidGid: boolean;
  readonly signal: AbortSignal;
}

export interface ExecCalls {
  /** @throws WRONG_STATE unless the container runs and is not paused */
  createExec(container: string, caller: Caller, config: ExecConfig): Promise<string>;
  /** By full id; whose container it is in is the server's to check. @throws NO_SUCH_EXEC */
  findExec(id: string): Promise<ExecView>;
  /**
   * Starts it with a client at its streams; without one it runs detached.
   *
   * @throws WRONG_STATE when it was started before
   */
  startExec(
    id: string,
    caller: Caller,
    options: { readonly streams?: ClientStreams; readonly terminalSize?: TerminalSize },
  ): Promise<Attachment>;
  resizeExec(id: string, caller: Caller, size: TerminalSize): Promise<void>;
}

export interface CommitCall {
  /** Makes an image of a container and what it has changed. @returns its id */
  commit(container: string, caller: Caller, options: CommitOptions): Promise<string>;
}

export interface CommitOptions {
  /** name to give it; absent: none */
  readonly name?: string;
  readonly author: string;
  readonly comment: string;
  readonly changes: readonly string[];
  /** whether the container is paused meanwhile */
  readonly pause: boolean;
}

export interface ImagesCall {
  images(): ImageCalls;
}

export interface NetworkCalls {
  /** Those that the caller may see, and those that are always there. */
  listNetworks(caller: Caller): Promise<readonly NetworkView[]>;
  /** By name, id or start of an id. @throws NO_SUCH_NETWORK */
  findNetwork(reference: string, caller: Caller): Promise<NetworkView>;
  /** @returns its id @throws NETWORK_INVALID, NETWORK_EXISTS, SUBNET_OVERLAP, POOL_EXHAUSTED */
  createNetwork(options: Omit<CreateNetworkOptions, "owner">, caller: Caller): Promise<string>;
  /** @throws NETWORK_IN_USE */
  removeNetwork(id: string, caller: Caller): Promise<void>;
  /** Puts a container into a further network, at once if it runs. @throws NOT_SUPPORTED */
  connectNetwork(
    id: string,
    caller: Caller,
    options: {
      readonly container: string;
      readonly aliases: readonly string[];
      readonly ip?: string;
    },
  ): Promise<void>;
  disconnectNetwork(id: string, caller: Caller, container: string): Promise<void>;
}

export interface VolumesCall {
  volumes(): VolumeCalls;
}

export interface SnapshotsCall {
  snapshots(): SnapshotCalls;
}

export interface SystemCalls {
  version(): Promise<DaemonVersion>;
  info(caller: Caller): Promise<DaemonInfo>;
  diskUsage(caller: Caller): Promise<DiskUsage>;
  /** Those of the past since `since`, then those to come, until `until` or the signal. The server drops others' own. */
  events(options: {
    readonly since?: bigint;
    readonly until?: bigint;
    readonly signal: AbortSignal;
  }): AsyncIterable<DaemonEvent>;
}

export interface DaemonEngine
  extends ContainerCalls,
    FileCalls,
    ExecCalls,
    CommitCall,
    ImagesCall,
    NetworkCalls,
    VolumesCall,
    SnapshotsCall,
    SystemCalls {}
