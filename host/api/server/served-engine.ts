/** The engine as the API server asks for it: containers, execs and events of a `Daemon`, images of an `ImageEngine`. */

import { release } from "node:os";
import { PassThrough, type Readable } from "node:stream";
import type { TerminalSize } from "#protocol";
import {
  pauseContainer,
  reconfigureContainer,
  unpauseContainer,
  updateContainer,
} from "../../engine/daemon/change-container.ts";
import { createExec, execView, startExec } from "../../engine/daemon/container-exec.ts";
import {
  changes,
  exportTar,
  layerTar,
  readArchive,
  statPath,
  writeArchive,
} from "../../engine/daemon/container-files.ts";
import type { Daemon } from "../../engine/daemon/daemon.ts";
import { processTable } from "../../engine/daemon/top.ts";
import type { ImageEngine } from "../../engine/images/image-engine.ts";
import { withNetwork, withoutNetwork } from "../../engine/networks/change-networks.ts";
import { NetworkStore, type NetworkView } from "../../engine/networks/network-store.ts";
import type {
  Attachment,
  ClientStreams,
  CommitOptions,
  DaemonEngine,
  ImportOptions,
  LogRequest,
  StopOptions,
  TransferOptions,
  WriteArchiveOptions,
} from "./daemon-engine.ts";
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
  ImageView,
  LogEntry,
  PathChange,
  PathStat,
  ProcessTable,
  StatsSample,
} from "./daemon-model.ts";
import { checkMayName, transfer } from "./image-rights.ts";
import { ServedVolumes } from "./served-volumes.ts";

export interface ServedEngineOptions {
  readonly daemon: Daemon;
  readonly images: ImageEngine;
  /** version of dvm */
  readonly version: string;
  readonly dataRoot: string;
}

export class ServedEngine implements Partial<DaemonEngine> {
  readonly #daemon: Daemon;
  readonly #images: ImageEngine;
  readonly #networks: NetworkStore;
  readonly #volumes: ServedVolumes;
  readonly #options: ServedEngineOptions;

  constructor(options: ServedEngineOptions) {
    this.#options = options;
    this.#daemon = options.daemon;
    this.#images = options.images;
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
  ): Promise<ContainerEnd> {
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

  listImages(): Promise<readonly ImageView[]> {
    return this.#images.list();
  }

  findImage(reference: string): Promise<ImageView> {
    return this.#images.find(reference);
  }

  async pullImage(reference: string, caller: Caller, options: TransferOptions): Promise<void> {
    const { digest, isNew, name } = await this.#images.pull(reference, transfer(options, caller));
    options.onProgress({ status: `Digest: ${digest}` });
    const what = isNew ? "Downloaded newer image for" : "Image is up to date for";
    options.onProgress({ status: `Status: ${what} ${familiar(name)}` });
    this.#tellImage("pull", name);
  }

  async pushImage(reference: string, caller: Caller, options: TransferOptions): Promise<void> {
    const { digest, size } = await this.#images.push(reference, transfer(options, caller));
    options.onProgress({ status: `digest: ${digest} size: ${size}` });
    this.#tellImage("push", reference);
  }

  async tagImage(id: string, caller: Caller, name: string): Promise<void> {
    checkMayName(caller);
    await this.#images.tag(id, name);
    this.#tellImage("tag", name);
  }

  async removeImage(
    reference: string,
    caller: Caller,
    { force }: { readonly force: boolean },
  ): ReturnType<DaemonEngine["removeImage"]> {
    checkMayName(caller);
    const removed = await this.#images.remove(reference, { force });
    for (const id of removed.deleted) this.#tellImage("delete", id);
    return removed;
  }

  async saveImages(
    references: readonly string[],
    _caller: Caller,
    signal: AbortSignal,
  ): Promise<Readable> {
    const output = new PassThrough();
    // what cannot be found is an answer of its own
    for (const reference of references) await this.#images.find(reference);
    this.#images.save(references, output, signal).then(
      () => output.end(),
      (error: Error) => output.destroy(error),
    );
    return output;
  }

  async loadImages(
    tar: Readable,
    caller: Caller,
    options: Pick<TransferOptions, "onProgress" | "signal">,
  ): Promise<readonly string[]> {
    checkMayName(caller);
    const loaded = await this.#images.load(tar, options);
    return loaded.map(({ id, name }) => (name === undefined ? id : familiar(name)));
  }

  async importImage(tar: Readable, caller: Caller, options: ImportOptions): Promise<string> {
    if (options.name !== undefined) checkMayName(caller);
    const id = await this.#images.import(tar, options);
    this.#tellImage("import", id);
    return id;
  }

  async commit(container: string, caller: Caller, options: CommitOptions): Promise<string> {
    if (options.name !== undefined) checkMayName(caller);
    const found = this.#daemon.get(container);
    const { name, author, changes: lines, comment } = options;
    const pauses = options.pause && found.record.state.status === "running";
    if (pauses) await pauseContainer(found);
    try {
      const id = await this.#images.commit(await layerTar(found), {
        base: found.record.image.manifestDigest,
        section: committedSection(found.config),
        changes: lines,
        author,
        message: comment,
        ...(name === undefined ? {} : { name }),
      });
      found.tell("commit", { imageID: id, comment });
      return id;
    } finally {
      if (pauses) await unpauseContainer(found).catch(() => {});
    }
  }

  async pruneImages(
    ids: readonly string[],
    caller: Caller,
  ): ReturnType<DaemonEngine["pruneImages"]> {
    checkMayName(caller);
    const chosen = new Set(ids);
    return this.#images.prune({ all: true, accepts: (id) => chosen.has(id) });
  }

  async version(): Promise<DaemonVersion> {
    return { version: this.#options.version, kernel: release(), components: [] };
  }

  async info(): Promise<DaemonInfo> {
    const { dataRoot } = this.#options;
    const images = await this.#images.list();
    const id = this.#daemon.id;
    return { ...(await this.version()), id, dataRoot, images: images.length, warnings: [] };
  }

  async diskUsage(caller: Caller): Promise<DiskUsage> {
    const { layers, images } = await this.#images.diskUsage();
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
    { container, aliases }: { readonly container: string; readonly aliases: readonly string[] },
  ): Promise<void> {
    const network = this.#networks.view(id, caller.uid);
    const found = this.#daemon.get(container);
    await reconfigureContainer(found, (config) => withNetwork(config, network.name, aliases));
    this.#tellNetwork("connect", network, container);
  }

  async disconnectNetwork(id: string, caller: Caller, container: string): Promise<void> {
    const network = this.#networks.view(id, caller.uid);
    const found = this.#daemon.get(container);
    await reconfigureContainer(found, (config) =>
      withoutNetwork(config, [network.name, network.id]),
    );
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

  #tellImage(action: string, id: string): void {
    this.#daemon.events.emit({ type: "image", action, id, attributes: { name: id } });
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

/** Without the registry and the folder that Docker leaves out. */
function familiar(name: string): string {
  return name.replace(/^docker\.io\/(library\/)?/, "");
}
