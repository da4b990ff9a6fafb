/** The engine as the API server asks for it: containers, execs and events of a `Daemon`, images of an `ImageEngine`. */

import { release } from "node:os";
import type { Readable } from "node:stream";
import type { TerminalSize } from "#protocol";
import type { ContainerExit } from "../../engine/container-exit.ts";
import {
  connectContainer,
  disconnectContainer,
  pauseContainer,
  unpauseContainer,
  updateContainer,
} from "../../engine/daemon/change-container.ts";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import { createExec, execView, startExec } from "../../engine/daemon/container-exec.ts";
import type { PathChange, PathStat } from "../../engine/daemon/container-files.ts";
import {
  changes,
  exportTar,
  layerTar,
  readArchive,
  statPath,
  writeArchive,
} from "../../engine/daemon/container-files.ts";
import type { Daemon } from "../../engine/daemon/daemon.ts";
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
import { processTable } from "../../engine/daemon/top.ts";
import type { ImageEngine } from "../../engine/images/image-engine.ts";
import type { RunJob } from "../../engine/images/image-worker.ts";
import { NetworkStore, type NetworkView } from "../../engine/networks/network-store.ts";
import { networkError } from "../../network/errors.ts";
import type {
  Attachment,
  CommitOptions,
  DaemonEngine,
  WriteArchiveOptions,
} from "./daemon-engine.ts";
import type { DaemonInfo, DaemonVersion, DiskUsage } from "./daemon-model.ts";
import { ServedImages } from "./served-images.ts";
import { ServedVolumes } from "./served-volumes.ts";
import { type SnapshotCalls, servedSnapshots } from "./snapshot-calls.ts";

export interface ServedEngineOptions {
  readonly daemon: Daemon;
  /** whether what Docker calls experimental is served */
  readonly experimental?: boolean;
  readonly images: ImageEngine;
  /** does what takes long with images */
  readonly runJob: RunJob;
  /** version of dvm */
  readonly version: string;
  readonly dataRoot: string;
}

export class ServedEngine implements Partial<DaemonEngine> {
  readonly #daemon: Daemon;
  readonly #images: ImageEngine;
  readonly #served: ServedImages;
  readonly #networks: NetworkStore;
  readonly #volumes: ServedVolumes;
  readonly #options: ServedEngineOptions;

  constructor(options: ServedEngineOptions) {
    this.#options = options;
    this.#daemon = options.daemon;
    this.#images = options.images;
    this.#served = new ServedImages({
      images: options.images,
      runJob: options.runJob,
      events: options.daemon.events,
      containersOf: (caller) => new Set(options.daemon.list(caller).map(({ id }) => id)),
    });
    this.#networks = new NetworkStore(options.dataRoot);
    this.#volumes = new ServedVolumes(options.dataRoot, options.daemon.events);
  }

  async list(caller: Caller): Promise<readonly ContainerView[]> {
    return this.#daemon.list(caller).map((container) => container.view());
  }

  async find(reference: string, caller: Caller): Promise<ContainerView> {
    return this.#daemon.find(reference, caller).view();
  }

  async create(
    config: DaemonContainerConfig,
    caller: Caller,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly name: string }> {
    const { id, record } = await this.#daemon.create(config, caller, signal);
    return { id, name: record.name };
  }

  start(id: string): Promise<boolean> {
    return this.#daemon.get(id).start();
  }

  async attach(
    id: string,
    _caller: Caller,
    options: { readonly streams: ClientStreams; readonly logs: boolean; readonly stream: boolean },
  ): Promise<Attachment> {
    return this.#daemon.get(id).streams.attach(options.streams, options);
  }

  wait(
    id: string,
    _caller: Caller,
    options: Parameters<DaemonEngine["wait"]>[2],
  ): Promise<ContainerExit> {
    return this.#daemon.get(id).wait(options);
  }

  stop(id: string, _caller: Caller, options: StopOptions): Promise<boolean> {
    return this.#daemon.get(id).stop(options);
  }

  restart(id: string, _caller: Caller, options: StopOptions): Promise<void> {
    return this.#daemon.get(id).restart(options);
  }

  kill(id: string, _caller: Caller, signal: number): Promise<void> {
    return this.#daemon.get(id).kill(signal);
  }

  pause(id: string): Promise<void> {
    return pauseContainer(this.#daemon.get(id));
  }

  unpause(id: string): Promise<void> {
    return unpauseContainer(this.#daemon.get(id));
  }

  async rename(id: string, _caller: Caller, name: string): Promise<void> {
    this.#daemon.get(id).rename(name);
  }

  remove(
    id: string,
    _caller: Caller,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void> {
    return this.#daemon.get(id).remove(options);
  }

  resize(id: string, _caller: Caller, size: TerminalSize): Promise<void> {
    return this.#daemon.get(id).resize(size);
  }

  async top(id: string, _caller: Caller, psArguments: readonly string[]): Promise<ProcessTable> {
    const { run } = this.#daemon.get(id);
    const processes = await run.processes();
    return processTable(processes, psArguments, run.bootedAt);
  }

  async stats(id: string): Promise<StatsSample> {
    return this.#daemon.get(id).run.stats();
  }

  logs(id: string, _caller: Caller, request: LogRequest): AsyncIterable<LogEntry> {
    return this.#daemon.get(id).streams.logs(request);
  }

  async update(id: string, _caller: Caller, update: ContainerUpdate): Promise<readonly string[]> {
    await updateContainer(this.#daemon.get(id), update);
    return [];
  }

  sizes(id: string): Promise<ContainerSizes> {
    return this.#daemon.get(id).kept.sizes();
  }

  async createExec(container: string, _caller: Caller, config: ExecConfig): Promise<string> {
    return createExec(this.#daemon.get(container), config);
  }

  async findExec(id: string): Promise<ExecView> {
    return execView(this.#daemon.ofExec(id), id);
  }

  startExec(
    id: string,
    _caller: Caller,
    options: { readonly streams?: ClientStreams; readonly terminalSize?: TerminalSize },
  ): Promise<Attachment> {
    return startExec(this.#daemon.ofExec(id), id, options);
  }

  resizeExec(id: string, _caller: Caller, size: TerminalSize): Promise<void> {
    return this.#daemon.ofExec(id).run.execs.resize(id, size);
  }

  images(): ServedImages {
    return this.#served;
  }

  async commit(container: string, caller: Caller, options: CommitOptions): Promise<string> {
    const found = this.#daemon.get(container);
    const { name, author, changes: lines, comment } = options;
    const pauses = options.pause && found.record.state.status === "running";
    if (pauses) await pauseContainer(found);
    try {
      const id = await this.#images.for(caller.uid).commit(await layerTar(found), {
        base: found.record.image.manifestDigest,
        section: committedSection(found.config),
        changes: lines,
        author,
        message: comment,
        ...(name === undefined ? {} : { name }),
      });
      found.tell("commit", { imageID: id, comment });
      if (name !== undefined) this.#served.tellNamed(caller, id, name);
      return id;
    } finally {
      if (pauses) await unpauseContainer(found).catch(() => {});
    }
  }

  async version(): Promise<DaemonVersion> {
    const { version, experimental = false } = this.#options;
    return { version, kernel: release(), components: [], experimental };
  }

  async info(caller: Caller): Promise<DaemonInfo> {
    const { dataRoot } = this.#options;
    const images = await this.#served.list(caller);
    const id = this.#daemon.id;
    const storage = await this.#daemon.storageInfo();
    return {
      ...(await this.version()),
      id,
      dataRoot,
      images: images.length,
      storage,
      registries: await this.#served.registries(),
      warnings: [],
    };
  }

  async diskUsage(caller: Caller): Promise<DiskUsage> {
    const { layers, images } = await this.#served.usage(caller);
    const containers = this.#daemon
      .list(caller)
      .map(async (container) => ({ id: container.id, sizes: await container.kept.sizes() }));
    return { layers, images, containers: await Promise.all(containers) };
  }

  changes(id: string): Promise<readonly PathChange[]> {
    return changes(this.#daemon.get(id));
  }

  exportTar(id: string, _caller: Caller, signal: AbortSignal): Promise<Readable> {
    return exportTar(this.#daemon.get(id), signal);
  }

  statPath(id: string, _caller: Caller, path: string): Promise<PathStat> {
    return statPath(this.#daemon.get(id), path);
  }

  readArchive(
    id: string,
    _caller: Caller,
    { path, signal }: { readonly path: string; readonly signal: AbortSignal },
  ): ReturnType<DaemonEngine["readArchive"]> {
    return readArchive(this.#daemon.get(id), path, signal);
  }

  writeArchive(id: string, _caller: Caller, options: WriteArchiveOptions): Promise<void> {
    return writeArchive(this.#daemon.get(id), options);
  }

  snapshots(): SnapshotCalls {
    return servedSnapshots(this.#daemon, this.#options.experimental === true);
  }

  volumes(): ServedVolumes {
    return this.#volumes;
  }

  async listNetworks(caller: Caller): Promise<readonly NetworkView[]> {
    return this.#networks.views(caller.uid);
  }

  async findNetwork(reference: string, caller: Caller): Promise<NetworkView> {
    return this.#networks.view(reference, caller.uid);
  }

  async createNetwork(
    options: Parameters<DaemonEngine["createNetwork"]>[0],
    caller: Caller,
  ): Promise<string> {
    const network = await this.#networks.create({ ...options, owner: caller.uid });
    this.#tellNetwork("create", network);
    return network.id;
  }

  async removeNetwork(id: string): Promise<void> {
    this.#tellNetwork("destroy", await this.#networks.remove(id));
  }

  async connectNetwork(
    id: string,
    caller: Caller,
    { container, ...join }: Parameters<DaemonEngine["connectNetwork"]>[2],
  ): Promise<void> {
    const network = this.#networks.view(id, caller.uid);
    const found = this.#daemon.get(container);
    this.#checkMeant(network, found.record.owner);
    await connectContainer(found, network.name, join);
    this.#tellNetwork("connect", network, container);
  }

  /** A container finds its networks by their names, among those of its owner. */
  #checkMeant({ name, id }: NetworkView, owner: number | undefined): void {
    if (this.#networks.view(name, owner).id === id) return;
    throw networkError("NO_SUCH_NETWORK", `network ${name} of the container's owner is another`);
  }

  async disconnectNetwork(id: string, caller: Caller, container: string): Promise<void> {
    const network = this.#networks.view(id, caller.uid);
    const found = this.#daemon.get(container);
    await disconnectContainer(found, [network.name, network.id]);
    this.#tellNetwork("disconnect", network, container);
  }

  events(options: Parameters<DaemonEngine["events"]>[0]): AsyncIterable<DaemonEvent> {
    return this.#daemon.events.events(options);
  }

  #tellNetwork(
    action: string,
    { id, name, owner }: Pick<NetworkView, "id" | "name" | "owner">,
    container?: string,
  ): void {
    this.#daemon.events.emit({
      type: "network",
      action,
      id,
      attributes: { name, type: "bridge", ...(container === undefined ? {} : { container }) },
      ...(owner === undefined ? {} : { owner }),
    });
  }
}

/** What the container says in place of its image (moby daemon/commit.go). */
function committedSection(config: DaemonContainerConfig) {
  const { command, entrypoint, user, workingDirectory, labels, env } = config;
  return {
    ...(command.length > 0 ? { Cmd: command } : {}),
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(user === undefined ? {} : { User: user }),
    ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    ...(env.length > 0 ? { Env: env.filter((each) => each.includes("=")) } : {}),
  };
}
