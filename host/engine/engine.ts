/** The engine: containers from creation to removal, each in a machine of its own. */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { TerminalSize } from "#protocol";
import { DvmError } from "../errors.ts";
import type { AttachedStreams } from "./attachment.ts";
import { type GuestDeadlines, guestDeadlines } from "./boot-machine.ts";
import type { ContainerConfig } from "./container-config.ts";
import { makeContainerId } from "./container-name.ts";
import { type ContainerRecord, type ContainerState, RECORD_VERSION } from "./container-record.ts";
import { ContainerStore } from "./container-store.ts";
import { createContainer } from "./create-container.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import type { EngineParts, PreparedImage } from "./engine-parts.ts";
import { engineError } from "./errors.ts";
import type { ContainerExit, LiveContainer } from "./live-container.ts";
import { sweepNetworks } from "./networks/sweep-networks.ts";
import type { EnginePaths } from "./paths.ts";
import { isOwned, killMachine, RunDirectory, sweepRunRoot } from "./run-directory.ts";
import { startContainer } from "./start-container.ts";
import { validateConfig } from "./validate-config.ts";
import { releaseVolumes, settleVolumes } from "./volumes/container-volumes.ts";

export interface EngineOptions {
  readonly paths: EnginePaths;
  readonly parts: EngineParts;
  readonly onEvent?: EventSink;
  readonly deadlines?: GuestDeadlines;
}

/** What a container is until it has ended: things that only the process that made it has. */
interface Held {
  readonly runDirectory: RunDirectory;
  readonly image: PreparedImage;
  readonly attached: AttachedStreams[];
  readonly exit: PromiseWithResolvers<ContainerExit>;
  live?: LiveContainer;
}

/** How long `remove` waits for another process to let go of a container, in `milliseconds`. */
const RELEASE_TIME = 10_000;

export class Engine implements AsyncDisposable {
  readonly #options: EngineOptions;
  readonly #store: ContainerStore;
  readonly #onEvent: EventSink;
  readonly #deadlines: GuestDeadlines;
  readonly #held = new Map<string, Held>();
  /** ends and removals under way, which disposal waits for */
  readonly #endings = new Set<Promise<void>>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#store = new ContainerStore(options.paths.dataRoot);
    this.#onEvent = options.onEvent ?? (() => {});
    this.#deadlines = options.deadlines ?? guestDeadlines();
    this.#recover();
  }

  /**
   * Makes a container: its image as a root disk, its writable disk, its state. Nothing runs yet.
   *
   * @throws DvmError for a configuration, an image or a name that is refused; nothing is left behind then
   */
  async create(
    config: ContainerConfig,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly id: string; readonly name: string }> {
    validateConfig(config);
    const { paths, parts } = this.#options;
    const id = makeContainerId();
    using undo = new DisposableStack();
    const runDirectory = undo.use(new RunDirectory(paths.runRoot, id));
    const name = this.#store.reserve(id, config.name);
    undo.defer(() => this.#store.remove(id));
    const image = await createContainer({
      id,
      config,
      parts,
      dataRoot: paths.dataRoot,
      writableDisk: this.#writableDisk(id),
      keep: !config.autoRemove,
      onEvent: this.#onEvent,
      signal: options.signal,
    });
    const volumes = await this.#settleVolumes(id, config, image).catch(async (error) => {
      await image[Symbol.asyncDispose]();
      if (!config.autoRemove) await parts.releaseImage(id, paths.dataRoot);
      throw error;
    });
    this.#store.write({ ...newRecord({ id, name, config, image }), ...volumes });
    undo.move();
    this.#held.set(id, { runDirectory, image, attached: [], exit: Promise.withResolvers() });
    this.#onEvent({ type: "container", container: id, name, action: "create" });
    return { id, name };
  }

  /** Joins a client to the streams that the container will have once it is started. */
  attach(id: string, streams: AttachedStreams): void {
    this.#heldBy(id).attached.push(streams);
  }

  /**
   * Starts a created container.
   *
   * @throws DvmError from the hypervisor or the guest; the container keeps its state `created` then, or is
   * removed when it was to be
   */
  async start(
    id: string,
    options: { readonly signal?: AbortSignal; readonly terminal?: TerminalSize } = {},
  ): Promise<void> {
    const held = this.#heldBy(id);
    const record = this.#read(id);
    if (record.state.status !== "created" || held.live !== undefined) {
      throw engineError("WRONG_STATE", `container ${record.name} was started before`, {
        hint: "starting a container again needs dvmd, which is not there yet",
      });
    }
    try {
      held.live = await startContainer({
        record,
        image: held.image,
        attached: held.attached,
        terminal: options.terminal,
        writableDisk: this.#writableDisk(id),
        runDirectory: held.runDirectory,
        dataRoot: this.#options.paths.dataRoot,
        parts: this.#options.parts,
        deadlines: this.#deadlines,
        onEvent: this.#onEvent,
        signal: options.signal,
        onEnd: (exit, release) => this.#track(this.#end(id, exit, release)),
        onRunning: () => this.#running(record),
      });
    } catch (error) {
      await this.#startFailed(record, held, error);
      throw error;
    }
  }

  /** Waits for the end of a container that was created here; one that has ended says how it did. */
  async wait(id: string): Promise<ContainerExit> {
    const held = this.#held.get(id);
    if (held !== undefined) return held.exit.promise;
    const { exitCode = 0, oomKilled } = this.#read(id).state;
    return { exitCode, oomKilled };
  }

  /** Sends a signal to the container's first process. @param signal number, 1 to 64 */
  async kill(id: string, signal: number): Promise<void> {
    await this.#liveBy(id).signal(signal);
  }

  /** Ends the container's machine at once. */
  async destroy(id: string): Promise<void> {
    await this.#liveBy(id).kill();
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    await this.#liveBy(id).resize(size);
  }

  /**
   * Removes a container, named by its name, id or start of an id.
   *
   * @throws DvmError `WRONG_STATE` for one that runs, unless forced; `NO_SUCH_CONTAINER`
   */
  async remove(
    reference: string,
    options: { readonly force: boolean; readonly volumes?: boolean },
  ): Promise<void> {
    const id = this.#store.resolve(reference);
    const held = this.#held.get(id);
    const runs = held === undefined ? isOwned(this.#options.paths.runRoot, id) : held.live;
    if (runs && !options.force) {
      throw engineError(
        "WRONG_STATE",
        `cannot remove container "${reference}": container is running: stop the container before removing or force remove`,
      );
    }
    if (held === undefined) await this.#takeAway(id);
    else await this.#release(id, held);
    if (this.#store.exists(id)) await this.#forget(id, options.volumes);
  }

  /** The containers, newest first. */
  list(): ContainerRecord[] {
    return this.#store
      .list((error) => this.#onEvent({ type: "warning", text: (error as Error).message }))
      .map((record) => this.#asItIs(record));
  }

  inspect(reference: string): ContainerRecord {
    return this.#asItIs(this.#read(this.#store.resolve(reference)));
  }

  /** For a process that ends this instant: kills the machines, without waiting. What stays the next engine sweeps. */
  abandon(): void {
    for (const id of this.#held.keys()) killMachine(this.#options.paths.runRoot, id);
  }

  /** Ends every machine that this engine runs and removes what is not to stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#held.values()].map((held) => held.live?.kill()));
    await Promise.all(this.#endings);
    for (const [id, held] of this.#held) {
      await this.#letGo(id, held);
      if (this.#readIfWhole(id)?.config.autoRemove) await this.#forget(id);
    }
  }

  #running(record: ContainerRecord): void {
    const state: ContainerState = {
      status: "running",
      startedAt: new Date().toISOString(),
      oomKilled: false,
    };
    this.#store.write({ ...record, state });
    const { id, name } = record;
    this.#onEvent({ type: "container", container: id, name, action: "start" });
  }

  /** The process has ended: ends the machine, notes how it went, and lets go of the container. */
  async #end(
    id: string,
    exit: ContainerExit,
    release: (keepDisk: boolean) => Promise<void>,
  ): Promise<void> {
    const held = this.#heldBy(id);
    try {
      await inPhase(this.#onEvent, { container: id, phase: "teardown" }, async () => {
        const record = this.#read(id);
        await release(!record.config.autoRemove);
        await this.#died(record, exit);
      });
    } catch (error) {
      this.#onEvent({ type: "warning", container: id, text: `teardown: ${String(error)}` });
    } finally {
      await this.#letGo(id, held);
      held.exit.resolve(exit);
    }
  }

  /** What was held for a container that runs no more. */
  async #letGo(id: string, held: Held): Promise<void> {
    this.#held.delete(id);
    await held.image[Symbol.asyncDispose]();
    held.runDirectory[Symbol.dispose]();
  }

  async #died(record: ContainerRecord, exit: ContainerExit): Promise<void> {
    const { id, name } = record;
    const { exitCode, oomKilled, error } = exit;
    this.#onEvent({ type: "container", container: id, name, action: "die", exitCode });
    if (record.config.autoRemove) {
      await this.#forget(id);
      return;
    }
    const finishedAt = new Date().toISOString();
    const state = { ...record.state, status: "exited" as const, finishedAt, exitCode, oomKilled };
    this.#store.write({ ...record, state: error === undefined ? state : { ...state, error } });
  }

  async #startFailed(record: ContainerRecord, held: Held, error: unknown): Promise<void> {
    const { id, config } = record;
    await this.#letGo(id, held);
    if (config.autoRemove) {
      await this.#forget(id);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const exitCode = error instanceof DvmError ? error.exitCode : 125;
    this.#store.write({ ...record, state: { ...record.state, exitCode, error: message } });
  }

  /** @param withVolumes whether its volumes without a name go too, as those do of one that was to be removed */
  async #forget(id: string, withVolumes = false): Promise<void> {
    const { parts, paths } = this.#options;
    const record = this.#readIfWhole(id);
    const removeAnonymous = withVolumes || record?.config.autoRemove === true;
    await releaseVolumes({ container: id, dataRoot: paths.dataRoot, removeAnonymous });
    // one that was to be removed has no lasting hold on its image
    if (record?.config.autoRemove !== true) await parts.releaseImage(id, paths.dataRoot);
    this.#store.remove(id);
    const name = record?.name ?? "";
    this.#onEvent({ type: "container", container: id, name, action: "destroy" });
  }

  /** What an engine that was killed left behind is ended and noted. */
  #recover(): void {
    const { runRoot } = this.#options.paths;
    const swept = sweepRunRoot(runRoot);
    if (swept.length > 0) this.#track(sweepNetworks());
    for (const id of swept) {
      const record = this.#store.list().find((each) => each.id === id);
      if (record === undefined || record.config.autoRemove) this.#track(this.#sweep(id));
      else if (record.state.status === "running") this.#store.write(abandoned(record));
    }
  }

  async #sweep(container: string): Promise<void> {
    const { dataRoot } = this.#options.paths;
    this.#store.remove(container);
    await releaseVolumes({ container, dataRoot, removeAnonymous: true });
  }

  #settleVolumes(container: string, config: ContainerConfig, image: PreparedImage) {
    return settleVolumes({
      container,
      config,
      imageVolumes: image.run.volumes,
      dataRoot: this.#options.paths.dataRoot,
      containers: this.#store,
    });
  }

  /** A running container that nobody answers for has ended: the host was turned off. */
  #asItIs(record: ContainerRecord): ContainerRecord {
    const lost =
      record.state.status === "running" && !isOwned(this.#options.paths.runRoot, record.id);
    return lost ? abandoned(record) : record;
  }

  /** Ends what another process runs of the container; it notices, and lets go of it. */
  async #takeAway(id: string): Promise<void> {
    const { runRoot } = this.#options.paths;
    if (!isOwned(runRoot, id)) return;
    killMachine(runRoot, id);
    const end = performance.now() + RELEASE_TIME;
    while (isOwned(runRoot, id)) {
      if (performance.now() > end) {
        throw engineError(
          "WRONG_STATE",
          `container ${id} is held by another dvm that does not end it`,
        );
      }
      await setTimeout(20);
    }
  }

  /** Ends what this process runs of the container. */
  async #release(id: string, held: Held): Promise<void> {
    if (held.live === undefined) {
      await this.#letGo(id, held);
      return;
    }
    await held.live.kill();
    await held.exit.promise;
  }

  #track(ending: Promise<void>): void {
    this.#endings.add(ending);
    void ending.finally(() => this.#endings.delete(ending));
  }

  #read(id: string): ContainerRecord {
    const record = this.#store.read(id);
    if (record === undefined) throw engineError("NO_SUCH_CONTAINER", `no such container: ${id}`);
    return record;
  }

  #readIfWhole(id: string): ContainerRecord | undefined {
    try {
      return this.#store.read(id);
    } catch (error) {
      if (error instanceof DvmError) return undefined;
      throw error;
    }
  }

  #heldBy(id: string): Held {
    const held = this.#held.get(id);
    if (held === undefined) {
      throw engineError("WRONG_STATE", `container ${id} does not belong to this process`);
    }
    return held;
  }

  #liveBy(id: string): LiveContainer {
    const { live } = this.#heldBy(id);
    if (live === undefined) throw engineError("WRONG_STATE", `container ${id} is not running`);
    return live;
  }

  #writableDisk(id: string): string {
    return join(this.#store.folder(id), "writable.img");
  }
}

function newRecord(parts: {
  readonly id: string;
  readonly name: string;
  readonly config: ContainerConfig;
  readonly image: PreparedImage;
}): ContainerRecord {
  const { name, manifestDigest, run } = parts.image;
  return {
    version: RECORD_VERSION,
    id: parts.id,
    name: parts.name,
    created: new Date().toISOString(),
    config: parts.config,
    image: { name, manifestDigest, run },
    state: { status: "created", oomKilled: false },
  };
}

function abandoned(record: ContainerRecord): ContainerRecord {
  return {
    ...record,
    state: {
      ...record.state,
      status: "exited",
      exitCode: 137,
      error: "dvm was ended while the container ran",
    },
  };
}
