/** The containers of a daemon: found, made, watched; those of an earlier daemon taken over. */

import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { warnings } from "../../network/warnings.ts";
import { type GuestDeadlines, guestDeadlines } from "../boot-machine.ts";
import type { StorageDriver } from "../container-config.ts";
import { makeContainerId } from "../container-name.ts";
import { type ContainerRecord, RECORD_VERSION } from "../container-record.ts";
import { ContainerStore } from "../container-store.ts";
import { createContainer } from "../create-container.ts";
import type { EventSink } from "../engine-event.ts";
import type { EngineParts } from "../engine-parts.ts";
import { engineError } from "../errors.ts";
import { checkDevices } from "../guest-devices.ts";
import { checkPolicy } from "../networks/card-policy.ts";
import { checkPortRights } from "../networks/check-port-rights.ts";
import { checkNetwork } from "../networks/prepare-network.ts";
import { sweepNetworks } from "../networks/sweep-networks.ts";
import { tellDenials } from "../networks/tell-denials.ts";
import { type EnginePaths, makePrivateFolder } from "../paths.ts";
import { checkJoins, resolveJoins } from "../pods/joins.ts";
import { MachinePool } from "../pool/machine-pool.ts";
import { shareImage } from "../prepare-image.ts";
import { sweepRunRoot } from "../run-directory.ts";
import { type Revival, Snapshots } from "../snapshots/snapshots.ts";
import { containerDisk } from "../storage/container-disk.ts";
import { DEFAULT_STORAGE_DRIVER, settleStorage } from "../storage/storage-driver.ts";
import { type StorageInfo, storageInfo } from "../storage/storage-info.ts";
import { validateConfig } from "../validate-config.ts";
import { releaseVolumes, settleVolumes } from "../volumes/container-volumes.ts";
import { BootGate } from "./boot-gate.ts";
import { EventBus } from "./event-bus.ts";
import { ManagedContainer } from "./managed-container.ts";
import type { ManagedParts } from "./managed-parts.ts";
import type { Caller, DaemonContainerConfig } from "./model.ts";
import { sideEvents, volumeEvent } from "./side-events.ts";

export interface DaemonOptions {
  readonly paths: EnginePaths;
  readonly parts: EngineParts;
  readonly onEvent?: EventSink;
  readonly deadlines?: GuestDeadlines;
  /** machines that are kept ready, see `MachinePoolOptions`; absent: the usual number */
  readonly poolSize?: number | undefined;
  /** of containers that ask for none; absent: the usual one */
  readonly storageDriver?: StorageDriver | undefined;
}

export class Daemon implements AsyncDisposable {
  readonly events = new EventBus();
  /** made once per data root */
  readonly id: string;
  readonly #options: DaemonOptions;
  readonly #store: ContainerStore;
  readonly #onEvent: EventSink;
  readonly #containers = new Map<string, ManagedContainer>();
  /** containers saved while they ran */
  readonly snapshots: Snapshots;
  readonly #parts: ManagedParts;
  readonly #denials = tellDenials((container, attributes) =>
    this.#containers.get(container)?.tell("egress_denied", attributes),
  );
  readonly #warnings = warnings.listen((text) => this.#onEvent({ type: "warning", text }));

  private constructor(options: DaemonOptions) {
    const { paths, parts, onEvent = () => {}, deadlines = guestDeadlines() } = options;
    this.#options = options;
    this.#onEvent = onEvent;
    this.id = ownId(paths.dataRoot);
    this.#store = new ContainerStore(paths.dataRoot);
    this.snapshots = new Snapshots({
      dataRoot: paths.dataRoot,
      revive: (revival, caller) => this.#revive(revival, caller),
      guestsOf: (id) => this.#guestsOf(id),
    });
    this.#parts = {
      paths,
      parts,
      store: this.#store,
      deadlines,
      gate: new BootGate(),
      members: this.#containers,
      pool: new MachinePool({ size: options.poolSize, paths, parts, onEvent }),
      onEvent,
      onAction: (record, action, attributes) => this.#tell(record, action, attributes),
      onRemoved: (id) => {
        this.#containers.delete(id);
        this.#forgetCheckpoints(id);
      },
      onVolumeGone: (volume) => this.events.emit(volumeEvent("destroy", volume)),
    };
  }

  /**
   * Opens the data root, of which the caller holds the lock. Machines that an earlier daemon left are taken over;
   * restart policies are applied in the background.
   */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    await daemon.#sweep();
    await daemon.snapshots.sweep();
    daemon.#readStore();
    const recovered = [...daemon.#containers.values()].map((container) => container.recover());
    await Promise.all(recovered);
    // of machines that are no more
    await sweepNetworks().catch((error: Error) =>
      daemon.#onEvent({ type: "warning", text: `sweeping networks: ${error.message}` }),
    );
    return daemon;
  }

  /** Those that the caller may see, newest first. */
  list(caller: Caller): ManagedContainer[] {
    return [...this.#containers.values()]
      .filter((container) => maySee(container.record, caller))
      .sort((a, b) => b.record.created.localeCompare(a.record.created));
  }

  /** By name, id or unique start of an id. @throws DvmError `NO_SUCH_CONTAINER` */
  find(reference: string, caller: Caller): ManagedContainer {
    const visible = this.list(caller);
    const name = reference.replace(/^\//, "");
    const named = visible.filter(({ record }) => record.name === name);
    // root sees what others have called the same as something of its own
    const own = named.find(({ record }) => (record.owner ?? process.getuid?.()) === caller.uid);
    const exact = visible.find(({ id }) => id === reference) ?? own ?? named[0];
    if (exact !== undefined) return exact;
    const matches = reference === "" ? [] : visible.filter(({ id }) => id.startsWith(reference));
    const [only] = matches;
    if (only === undefined) {
      throw engineError("NO_SUCH_CONTAINER", `no such container: ${reference}`);
    }
    if (matches.length > 1) {
      throw engineError(
        "NO_SUCH_CONTAINER",
        `multiple IDs found with provided prefix: ${reference}`,
      );
    }
    return only;
  }

  /** A container that another one names. It is no answer to a client that looks for an image. */
  #findOther(reference: string, caller: Caller): string {
    try {
      return this.find(reference, caller).id;
    } catch (cause) {
      throw engineError("CONFIG_INVALID", (cause as Error).message, { cause });
    }
  }

  /** By full id. @throws DvmError `NO_SUCH_CONTAINER` */
  get(id: string): ManagedContainer {
    const container = this.#containers.get(id);
    if (container === undefined) {
      throw engineError("NO_SUCH_CONTAINER", `no such container: ${id}`);
    }
    return container;
  }

  /** The container in which an exec is. @throws DvmError `NO_SUCH_EXEC` */
  ofExec(exec: string): ManagedContainer {
    for (const container of this.#containers.values()) {
      if (container.isRunning && container.run.execs.view(exec) !== undefined) return container;
    }
    throw engineError("NO_SUCH_EXEC", `no such exec instance: ${exec}`);
  }

  /**
   * Makes a container; nothing runs yet.
   *
   * @throws DvmError for a configuration, an image or a name that is refused; nothing is left behind then
   */
  async create(
    wanted: DaemonContainerConfig,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<ManagedContainer> {
    const { storageDriver = DEFAULT_STORAGE_DRIVER } = this.#options;
    checkJoins(wanted);
    const config = settleStorage(
      resolveJoins(wanted, (reference) => this.#findOther(reference, caller)),
      storageDriver,
    );
    validateConfig(config);
    checkNetwork(config);
    checkPolicy(config);
    checkDevices(config, caller.uid);
    checkPortRights(config.networking?.ports ?? [], caller.uid);
    const { paths, parts } = this.#options;
    const id = makeContainerId();
    await using undo = new AsyncDisposableStack();
    const name = this.#store.reserve(id, config.name, caller.uid);
    undo.defer(() => this.#store.remove(id));
    const image = await createContainer({
      id,
      config,
      parts,
      dataRoot: paths.dataRoot,
      writableDisk: containerDisk(this.#store.folder(id), config),
      keep: true,
      owner: caller.uid,
      onEvent: this.#onEvent,
      signal,
    });
    undo.defer(() => parts.releaseImage(id, paths.dataRoot));
    try {
      const { dataRoot } = paths;
      const volumes = await settleVolumes({
        container: id,
        config,
        imageVolumes: image.run.volumes,
        dataRoot,
        containers: this.#store,
        owner: caller.uid,
        onCreated: (volume) => this.events.emit(volumeEvent("create", volume)),
      });
      undo.defer(async () => {
        await releaseVolumes({ container: id, dataRoot, removeAnonymous: true });
      });
      const container = new ManagedContainer(
        {
          version: RECORD_VERSION,
          id,
          name,
          created: new Date().toISOString(),
          config,
          image: { name: image.name, manifestDigest: image.manifestDigest, run: image.run },
          state: { status: "created", oomKilled: false },
          owner: caller.uid,
          ...volumes,
        },
        this.#parts,
      );
      container.kept.keepRootDisk(image.extents);
      this.#store.write(container.record);
      undo.move();
      this.#containers.set(id, container);
      container.tell("create");
      return container;
    } finally {
      await image[Symbol.asyncDispose]();
    }
  }

  /** Makes a container that goes on where another was saved. @throws DvmError; nothing is left behind then */
  async #revive(revival: Revival, caller: Caller): Promise<ManagedContainer> {
    const { record, config, saved, memory } = revival;
    const { dataRoot } = this.#options.paths;
    await using undo = new AsyncDisposableStack();
    const id = makeContainerId();
    const name = this.#store.reserve(id, config.name, caller.uid);
    undo.defer(() => this.#store.remove(id));
    await shareImage(revival.imageOf, id, dataRoot);
    undo.defer(() => this.#options.parts.releaseImage(id, dataRoot));
    await revival.fill(this.#store.folder(id));
    const container = new ManagedContainer(
      {
        version: RECORD_VERSION,
        id,
        name,
        created: new Date().toISOString(),
        config,
        image: record.image,
        state: { status: "created", oomKilled: false },
        owner: caller.uid,
      },
      this.#parts,
    );
    this.#store.write(container.record);
    undo.move();
    this.#containers.set(id, container);
    container.tell("create");
    try {
      await container.goOn(saved, { memory });
      return container;
    } catch (error) {
      await container.remove({ force: true }).catch(() => {});
      throw error;
    }
  }

  storageInfo(): Promise<StorageInfo> {
    const { paths, storageDriver } = this.#options;
    return storageInfo(paths.dataRoot, storageDriver);
  }

  #forgetCheckpoints(id: string): void {
    this.snapshots.removeCheckpointsOf(id).catch((error: Error) => {
      const text = `removing its checkpoints: ${error.message}`;
      this.#onEvent({ type: "warning", container: id, text });
    });
  }

  /** Those that run in the machine of another one. */
  #guestsOf(id: string): string[] {
    const others = [...this.#containers.values()].filter((each) => each.id !== id);
    return others.filter((each) => each.machine?.owner === id).map((each) => each.id);
  }

  /** Lets go of all machines, which run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#denials[Symbol.dispose]();
    this.#warnings[Symbol.dispose]();
    await this.#parts.pool[Symbol.asyncDispose]();
    await Promise.all([...this.#containers.values()].map((container) => container.close()));
    // of machines that have ended just now; what stays is the next daemon's to sweep
    await sweepNetworks().catch(() => {});
  }

  /** Removes what a create or a remove left that was cut short. */
  async #sweep(): Promise<void> {
    const { paths, parts } = this.#options;
    for (const id of this.#store.orphans()) {
      await parts.releaseImage(id, paths.dataRoot);
      this.#store.remove(id);
    }
    sweepRunRoot(paths.runRoot, this.#store.ids());
  }

  #readStore(): void {
    for (const id of this.#store.ids()) {
      const record = this.#readIfWhole(id);
      if (record === undefined) continue;
      this.#containers.set(id, new ManagedContainer(record, this.#parts));
    }
  }

  #readIfWhole(id: string): ContainerRecord | undefined {
    try {
      return this.#store.read(id);
    } catch (error) {
      this.#onEvent({ type: "warning", container: id, text: (error as Error).message });
      return undefined;
    }
  }

  #tell(
    record: ContainerRecord,
    action: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    const { id, name, config, image, owner } = record;
    const beside = sideEvents(record, action, this.#options.paths.dataRoot);
    if (action === "start") for (const event of beside) this.events.emit(event);
    this.events.emit({
      type: "container",
      action,
      id,
      attributes: {
        ...image.run.labels,
        ...config.labels,
        ...attributes,
        image: config.image,
        name,
      },
      ...(owner === undefined ? {} : { owner }),
    });
    if (action !== "start") for (const event of beside) this.events.emit(event);
  }
}

function ownId(dataRoot: string): string {
  const path = join(dataRoot, "id");
  if (!existsSync(path)) {
    makePrivateFolder(dataRoot);
    writeFileSync(path, `${randomUUID()}\n`, { mode: 0o600 });
  }
  return readFileSync(path, "utf8").trim();
}

/** root sees all, everyone else what is theirs. */
function maySee({ owner }: ContainerRecord, { uid }: Caller): boolean {
  return uid === 0 || uid === (owner ?? process.getuid?.());
}
