/** Snapshots of running containers: made, listed, removed, gone on from; and forks, which are both at once. */

import { statSync } from "node:fs";
import { DvmError } from "../../errors.ts";
import { makeContainerName, NAME_PATTERN } from "../container-name.ts";
import type { ContainerRecord } from "../container-record.ts";
import { containerHostname } from "../container-spec.ts";
import type { ManagedContainer } from "../daemon/managed-container.ts";
import type { Caller, DaemonContainerConfig } from "../daemon/model.ts";
import { engineError, storageFailure } from "../errors.ts";
import { releaseImage, shareImage } from "../prepare-image.ts";
import { containerDisk } from "../storage/container-disk.ts";
import { type SavedRun, SNAPSHOT_VERSION, type SnapshotMeta } from "./snapshot-meta.ts";
import { type SnapshotFiles, SnapshotStore } from "./snapshot-store.ts";
import { copyContainer, moveContainer, takeSnapshot } from "./take-snapshot.ts";

/** A container that goes on where another was saved. */
export interface Revival {
  /** id under which the image is kept for it so far */
  readonly imageOf: string;
  readonly record: ContainerRecord;
  readonly config: DaemonContainerConfig;
  readonly saved: SavedRun;
  /** file of the saved machine */
  readonly memory: string;
  /** Puts its disk and what belongs to it into its folder. */
  readonly fill: (folder: string) => Promise<void>;
}

export interface SnapshotsOptions {
  readonly dataRoot: string;
  /** Makes the container and has it go on. */
  readonly revive: (revival: Revival, caller: Caller) => Promise<ManagedContainer>;
  /** ids of containers that run in the machine of another one */
  readonly guestsOf: (id: string) => readonly string[];
}

export interface SnapshotView extends SnapshotMeta {
  /** on the disk, in `bytes` */
  readonly size: number;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #store: SnapshotStore;
  /** those that are being made, by owner and name */
  readonly #making = new Set<string>();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.#store = new SnapshotStore(options.dataRoot);
  }

  /** Removes what an earlier daemon has not finished. */
  async sweep(): Promise<void> {
    for (const id of this.#store.sweep()) await releaseImage(id, this.#options.dataRoot);
  }

  /** @throws DvmError `NAME_TAKEN`, `CONFIG_INVALID`, `NOT_SUPPORTED`, `WRONG_STATE`; nothing is left behind then */
  async create(
    container: ManagedContainer,
    caller: Caller,
    { name = makeContainerName() }: { readonly name?: string | undefined } = {},
  ): Promise<SnapshotMeta> {
    checkName(name);
    const isTaken = () => this.list(caller).some((each) => each.name === name);
    const about = { name, owner: caller.uid };
    return this.#alone(`${caller.uid} ${name}`, isTaken, () => this.#save(container, about));
  }

  /** One at a time has a name. */
  async #alone<T>(key: string, isTaken: () => boolean, make: () => Promise<T>): Promise<T> {
    if (this.#making.has(key) || isTaken()) throw taken(key.slice(key.indexOf(" ") + 1));
    this.#making.add(key);
    try {
      return await make();
    } finally {
      this.#making.delete(key);
    }
  }

  /** Those that the caller may see, newest first. */
  list(caller: Caller): SnapshotView[] {
    return this.#store
      .list()
      .filter(({ checkpointOf }) => checkpointOf === undefined)
      .filter(({ owner }) => caller.uid === 0 || caller.uid === (owner ?? process.getuid?.()))
      .map((meta) => ({ ...meta, size: sizeOf(this.#store.files(meta.id), meta) }));
  }

  /** By name, id or unique start of an id. @throws DvmError `NO_SUCH_SNAPSHOT` */
  find(reference: string, caller: Caller): SnapshotMeta {
    const visible = this.list(caller);
    const exact = visible.find(({ name, id }) => name === reference || id === reference);
    if (exact !== undefined) return exact;
    const matches = visible.filter(({ id }) => reference !== "" && id.startsWith(reference));
    const [only] = matches;
    if (only !== undefined && matches.length === 1) return only;
    throw noSuch(reference);
  }

  async remove(reference: string, caller: Caller): Promise<string> {
    const { id } = this.find(reference, caller);
    await this.#forget(id);
    return id;
  }

  /** A container of its own that goes on from there. */
  async restore(
    reference: string,
    caller: Caller,
    wish: { readonly name?: string | undefined },
  ): Promise<ManagedContainer> {
    const { id, record, run } = this.find(reference, caller);
    const files = this.#store.files(id);
    return this.#options.revive(
      {
        imageOf: id,
        record,
        config: configOf(record, wish),
        saved: run,
        memory: files.memory,
        fill: (folder) => copyContainer(diskIn(files, record), folder),
      },
      caller,
    );
  }

  /** A second container that goes on beside the first. */
  async fork(
    container: ManagedContainer,
    caller: Caller,
    wish: { readonly name?: string | undefined },
  ): Promise<ManagedContainer> {
    this.#checkAlone(container.id);
    using draft = this.#store.draft();
    const saved = await this.#take(container, draft);
    const { record } = container;
    return await this.#options.revive(
      {
        imageOf: container.id,
        record,
        config: forkedConfig(record, wish),
        saved,
        memory: draft.memory,
        fill: (folder) => moveContainer(diskIn(draft, record), folder),
      },
      caller,
    );
  }

  async #save(
    container: ManagedContainer,
    about: Pick<SnapshotMeta, "name" | "owner" | "checkpointOf">,
  ): Promise<SnapshotMeta> {
    this.#checkAlone(container.id);
    const { dataRoot } = this.#options;
    using draft = this.#store.draft();
    const { id } = draft;
    await shareImage(container.id, id, dataRoot);
    try {
      const run = await this.#take(container, draft);
      const { record } = container;
      const created = new Date().toISOString();
      const meta: SnapshotMeta = { version: SNAPSHOT_VERSION, id, created, record, run, ...about };
      draft.keep(meta);
      return meta;
    } catch (error) {
      await releaseImage(id, dataRoot);
      throw error;
    }
  }

  async #take(container: ManagedContainer, files: SnapshotFiles): Promise<SavedRun> {
    try {
      return await takeSnapshot(container, files);
    } catch (error) {
      if (error instanceof DvmError) throw error;
      throw storageFailure(error, this.#options.dataRoot);
    }
  }

  #checkAlone(id: string): void {
    const [other] = this.#options.guestsOf(id);
    if (other === undefined) return;
    const what = `container ${id} cannot be saved: container ${other} runs in its machine`;
    throw engineError("NOT_SUPPORTED", what);
  }

  async #forget(id: string): Promise<void> {
    this.#store.remove(id);
    await releaseImage(id, this.#options.dataRoot);
  }

  /** Those of a container under Docker's name for them, newest first. */
  checkpoints(container: string): SnapshotMeta[] {
    return this.#store.list().filter(({ checkpointOf }) => checkpointOf === container);
  }

  /** @throws DvmError as `create` */
  async createCheckpoint(container: ManagedContainer, name: string): Promise<void> {
    checkName(name);
    const { id, record } = container;
    const isTaken = () => this.checkpoints(id).some((each) => each.name === name);
    const owner = record.owner === undefined ? {} : { owner: record.owner };
    const about = { name, checkpointOf: id, ...owner };
    await this.#alone(`${id} ${name}`, isTaken, () => this.#save(container, about));
  }

  /** @throws DvmError `NO_SUCH_SNAPSHOT` */
  async removeCheckpoint(container: string, name: string): Promise<void> {
    await this.#forget(this.#checkpoint(container, name).id);
  }

  /** Nobody can go on from them any more. */
  async removeCheckpointsOf(container: string): Promise<void> {
    for (const { id } of this.checkpoints(container)) await this.#forget(id);
  }

  /** Has a container that does not run go on from there, with its disk as it was. */
  async startFrom(container: ManagedContainer, name: string): Promise<void> {
    const { id, record, run } = this.#checkpoint(container.id, name);
    const files = this.#store.files(id);
    await container.goOn(run, {
      memory: files.memory,
      disk: diskIn(files, record),
    });
  }

  #checkpoint(container: string, name: string): SnapshotMeta {
    const found = this.checkpoints(container).find((each) => each.name === name);
    if (found === undefined) {
      throw engineError(
        "NO_SUCH_SNAPSHOT",
        `checkpoint ${name} does not exist for container ${container}`,
      );
    }
    return found;
  }
}

/** Addresses that were asked for are the first one's. */
export function forkedConfig(
  record: Pick<ContainerRecord, "id" | "config">,
  wish: { readonly name?: string | undefined } = {},
): DaemonContainerConfig {
  const {
    ip: _,
    ip6: __,
    mac: ___,
    furtherIps: ____,
    ...networking
  } = record.config.networking ?? {};
  return { ...configOf(record, wish), networking };
}

/** What runs in it has its host name, whatever it is called from now on. */
function configOf(
  { id, config: { name: _, ...config } }: Pick<ContainerRecord, "id" | "config">,
  { name }: { readonly name?: string | undefined },
): DaemonContainerConfig {
  const hostname = containerHostname(id, config);
  return { ...config, hostname, ...(name === undefined ? {} : { name }) };
}

function diskIn({ container }: SnapshotFiles, { config }: ContainerRecord): string {
  const disk = containerDisk(container, config);
  if (disk === undefined) throw new TypeError("a snapshot without a disk");
  return disk;
}

function sizeOf(files: SnapshotFiles, { record }: SnapshotMeta): number {
  const all = [files.memory, diskIn(files, record)];
  return all.reduce((sum, path) => {
    return sum + (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }, 0);
}

function checkName(name: string): void {
  if (NAME_PATTERN.test(name) && name.length <= MAX_NAME) return;
  const shown = JSON.stringify(name.slice(0, 80));
  throw engineError("CONFIG_INVALID", `invalid name of a snapshot: ${shown}`, {
    hint: "names have letters, digits, underscores, dots and dashes",
  });
}

const MAX_NAME = 255;

function taken(name: string): Error {
  return engineError("SNAPSHOT_EXISTS", `there is a snapshot ${name} already`);
}

function noSuch(reference: string): Error {
  return engineError("NO_SUCH_SNAPSHOT", `no such snapshot: ${reference.slice(0, 128)}`);
}
