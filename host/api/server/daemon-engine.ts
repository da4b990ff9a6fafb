/**
 * What the API server asks of the engine that a daemon hosts.
 *
 * Of a container only `find` takes what a user may name it by; everything else takes the full id that `find`
 * gave. The server has checked by then that the caller may touch it. Errors are DvmErrors; `statusOf` says which
 * code becomes which HTTP status. An `AbortSignal` is aborted when the client has gone.
 */

import type { Readable, Writable } from "node:stream";
import type { TerminalSize } from "#protocol";
import type { CreateNetworkOptions, NetworkView } from "../../engine/networks/network-store.ts";
import type {
  Caller,
  ContainerEnd,
  ContainerSizes,
  ContainerUpdate,
  ContainerView,
  DaemonContainerConfig,
  DaemonEvent,
  DaemonInfo,
  DaemonVersion,
  DiskUsage,
  ExecConfig,
  ExecView,
  ImageProgress,
  ImageView,
  LogEntry,
  PathChange,
  PathStat,
  ProcessTable,
  RegistryAuth,
  StatsSample,
} from "./daemon-model.ts";
import type { VolumeCalls } from "./served-volumes.ts";

/**
 * A client's ends of a process's streams. Closing or failing of one detaches it and does nothing else: the process
 * goes on. The engine ends none of them.
 */
export interface ClientStreams {
  /** read until its end, which closes the process's input if that is to close with its client */
  readonly stdin?: Readable;
  /** with a terminal it gets all output */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/** A client at a process's streams. */
export interface Attachment {
  /** settles when the process's output has ended and was handed over, or after `detach`; never rejects */
  readonly done: Promise<void>;
  readonly detach: () => void;
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
  ): Promise<ContainerEnd>;
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

export interface StopOptions {
  /** number, 1 to 64; absent: the container's own */
  readonly signal?: number;
  /** in `seconds`; absent: the container's own */
  readonly timeout?: number;
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

export interface ImageCalls {
  listImages(caller: Caller): Promise<readonly ImageView[]>;
  /** By name, id or unique start of an id. @throws IMAGE_NOT_FOUND */
  findImage(reference: string, caller: Caller): Promise<ImageView>;
  pullImage(reference: string, caller: Caller, options: TransferOptions): Promise<void>;
  pushImage(reference: string, caller: Caller, options: TransferOptions): Promise<void>;
  tagImage(id: string, caller: Caller, name: string): Promise<void>;
  /** Takes the name away, and with the last one the image. */
  removeImage(
    reference: string,
    caller: Caller,
    options: { readonly force: boolean; readonly prune: boolean },
  ): Promise<RemovedImages>;
  /** An archive as `docker save` writes it. */
  saveImages(references: readonly string[], caller: Caller, signal: AbortSignal): Promise<Readable>;
  /** @returns what was loaded: names, or ids of those without one */
  loadImages(
    tar: Readable,
    caller: Caller,
    options: Pick<TransferOptions, "onProgress" | "signal">,
  ): Promise<readonly string[]>;
  /** Makes an image of one layer. @returns its id */
  importImage(tar: Readable, caller: Caller, options: ImportOptions): Promise<string>;
  /** @returns id of the image */
  commit(container: string, caller: Caller, options: CommitOptions): Promise<string>;
  /** Removes what no name, container or image needs; `layers` that nothing uses go in any case. */
  pruneImages(ids: readonly string[], caller: Caller): Promise<RemovedImages>;
}

export interface TransferOptions {
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string;
  readonly auth?: RegistryAuth;
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal: AbortSignal;
}

export interface ImportOptions {
  /** name to give it; absent: none */
  readonly name?: string;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  readonly message: string;
  readonly platform?: string;
  readonly signal: AbortSignal;
}

export interface CommitOptions {
  readonly name?: string;
  readonly author: string;
  readonly comment: string;
  readonly changes: readonly string[];
  /** whether the container is paused meanwhile */
  readonly pause: boolean;
}

export interface RemovedImages {
  readonly untagged: readonly string[];
  readonly deleted: readonly string[];
  /** in `bytes` */
  readonly reclaimed: number;
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
  /** Puts a container that does not run into a further network, from its next start on. @throws NOT_SUPPORTED */
  connectNetwork(
    id: string,
    caller: Caller,
    options: { readonly container: string; readonly aliases: readonly string[] },
  ): Promise<void>;
  disconnectNetwork(id: string, caller: Caller, container: string): Promise<void>;
}

export interface VolumesCall {
  volumes(): VolumeCalls;
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
    ImageCalls,
    NetworkCalls,
    VolumesCall,
    SystemCalls {}
