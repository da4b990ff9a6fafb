/**
 * The volumes: `DATA_ROOT/volumes/NAME` with `volume.json`, the content in `_data` or `disk.img`, and a file in `users`
 * for each container that has it, named by the id. Whoever changes one holds the lock of the folder of all.
 */

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { lockFile } from "../../sys/file-lock.ts";
import { makePrivateFolder } from "../paths.ts";
import { volumeError } from "./errors.ts";
import { checkVolumeName, VOLUME_NAME } from "./volume-name.ts";
import { type VolumeKind, volumeKind } from "./volume-options.ts";
import { removeTree, treeSize } from "./volume-tree.ts";

/** Version of `volume.json`. */
const VOLUME_VERSION = 1;

export interface StoredVolume {
  readonly version: typeof VOLUME_VERSION;
  readonly name: string;
  /** RFC 3339 */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** as they were given */
  readonly options: Readonly<Record<string, string>>;
  readonly content: VolumeKind;
  /** whether nobody has given it a name */
  readonly isAnonymous: boolean;
  /** uid of its owner; absent: the engine's own user's */
  readonly owner?: number;
}

/** A volume with what is known of its use. */
export interface VolumeView extends StoredVolume {
  /** path of the folder, or of the disk's image */
  readonly path: string;
  /** ids of the containers that have it, running or not */
  readonly users: readonly string[];
}

export interface CreateVolumeOptions {
  /** absent: made up */
  readonly name?: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** absent: the engine's own user's */
  readonly owner?: number;
  /** whether it is for another user than the engine's, with whose rights a folder of the host would be reached */
  readonly isForeign?: boolean;
}

export class VolumeStore {
  readonly #dataRoot: string;
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#dataRoot = dataRoot;
    this.#folder = join(dataRoot, "volumes");
  }

  /**
   * Makes a volume; one that is there already is left as it is, as with Docker.
   *
   * @throws DvmError `VOLUME_INVALID`, for root also for another user's; `NO_SUCH_VOLUME` for a name that is another's
   */
  async create(options: CreateVolumeOptions): Promise<VolumeView> {
    checkVolumeName(options.name);
    using _lock = await this.#lock();
    return this.#create(options);
  }

  /** The volume for a container, made when it is missing; it stays as long as the container. */
  async use(container: string, options: CreateVolumeOptions): Promise<VolumeView> {
    checkVolumeName(options.name);
    using _lock = await this.#lock();
    const volume = await this.#create(options);
    const users = join(this.#folder, volume.name, "users");
    mkdirSync(users, { recursive: true, mode: 0o700 });
    writeFileSync(join(users, container), "", { mode: 0o600 });
    return volume;
  }

  /**
   * A container has its volumes no more.
   *
   * @param options whether those without a name go with it, unless another container has them
   */
  async release(container: string, options: { readonly removeAnonymous: boolean }): Promise<void> {
    if (!existsSync(this.#folder)) return;
    const names = this.#names().filter((name) =>
      existsSync(join(this.#folder, name, "users", container)),
    );
    if (names.length === 0) return;
    using _lock = await this.#lock();
    for (const name of names) {
      rmSync(join(this.#folder, name, "users", container), { force: true });
      const volume = this.#read(name);
      if (!options.removeAnonymous || !volume?.isAnonymous) continue;
      if (this.#view(volume).users.length === 0) await this.#delete(volume);
    }
  }

  /** Those that the user may see, by name. @param uid 0 or absent: all */
  list(uid?: number): VolumeView[] {
    return this.#names()
      .flatMap((name) => this.#read(name) ?? [])
      .filter((volume) => maySee(volume, uid))
      .map((volume) => this.#view(volume));
  }

  /** @throws DvmError `NO_SUCH_VOLUME` */
  find(name: string, uid?: number): VolumeView {
    const volume = VOLUME_NAME.test(name) ? this.#read(name) : undefined;
    if (volume === undefined || !maySee(volume, uid)) {
      throw volumeError("NO_SUCH_VOLUME", `get ${name.slice(0, 130)}: no such volume`);
    }
    return this.#view(volume);
  }

  /** @throws DvmError `VOLUME_IN_USE` naming the containers; `NO_SUCH_VOLUME` unless forced */
  async remove(
    name: string,
    options: { readonly force?: boolean; readonly uid?: number } = {},
  ): Promise<VolumeView | undefined> {
    if (options.force && !(VOLUME_NAME.test(name) && this.#read(name))) return undefined;
    this.find(name, options.uid);
    using _lock = await this.#lock();
    const volume = this.find(name, options.uid);
    if (volume.users.length > 0) {
      throw volumeError(
        "VOLUME_IN_USE",
        `remove ${name}: volume is in use - [${volume.users.join(", ")}]`,
        { hint: "remove these containers first: dvm rm" },
      );
    }
    await this.#delete(volume);
    return volume;
  }

  /**
   * Removes volumes that no container has.
   *
   * @param accepts which of them
   * @returns names, and what they took on the disk in `bytes`
   */
  async prune(
    accepts: (volume: VolumeView) => boolean,
    uid?: number,
  ): Promise<{ readonly names: string[]; readonly reclaimed: number }> {
    const names: string[] = [];
    let reclaimed = 0;
    if (!existsSync(this.#folder)) return { names, reclaimed };
    using _lock = await this.#lock();
    for (const volume of this.list(uid)) {
      if (volume.users.length > 0 || !accepts(volume)) continue;
      reclaimed += await this.size(volume);
      await this.#delete(volume);
      names.push(volume.name);
    }
    return { names, reclaimed };
  }

  /** What the volume takes on the host's disk, in `bytes`; a folder elsewhere is not counted. */
  async size({ path, content }: VolumeView): Promise<number> {
    switch (content.kind) {
      case "disk":
        return (await stat(path).catch(() => ({ blocks: 0 }))).blocks * 512;
      case "folder":
        return treeSize(path);
      case "device":
        return 0;
    }
  }

  async #lock() {
    makePrivateFolder(this.#folder);
    return lockFile(this.#folder);
  }

  async #create({
    name,
    driver = "",
    options = {},
    labels = {},
    owner,
    isForeign = false,
  }: CreateVolumeOptions) {
    const content = volumeKind(driver, options);
    if (content.kind === "device" && isForeign) {
      throw volumeError(
        "VOLUME_INVALID",
        `device ${content.path} cannot be shared by a daemon of another user`,
      );
    }
    if (name !== undefined) {
      const there = this.#read(name);
      if (there !== undefined) {
        const view = this.find(name, owner);
        checkOwn(there, owner);
        return view;
      }
    }
    const volume: StoredVolume = {
      version: VOLUME_VERSION,
      name: name ?? randomBytes(32).toString("hex"),
      created: new Date().toISOString(),
      labels,
      options,
      content,
      isAnonymous: name === undefined,
      ...(owner === undefined ? {} : { owner }),
    };
    await this.#make(volume);
    return this.#view(volume);
  }

  /** Under another name first: what has a volume's name is whole. */
  async #make(volume: StoredVolume): Promise<void> {
    const draft = join(this.#folder, `.new-${randomBytes(8).toString("hex")}`);
    mkdirSync(draft, { mode: 0o700 });
    try {
      if (volume.content.kind === "folder") mkdirSync(join(draft, "_data"), { mode: 0o755 });
      if (volume.content.kind === "disk") {
        const { makeVolumeDisk } = await import("./make-disk.ts");
        await makeVolumeDisk(join(draft, "disk.img"), {
          bytes: volume.content.size,
          templates: join(this.#dataRoot, "disk-templates"),
        });
      }
      writeFileSync(join(draft, "volume.json"), `${JSON.stringify(volume)}\n`, { mode: 0o600 });
      renameSync(draft, join(this.#folder, volume.name));
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw error;
    }
  }

  /** Gives the name back first: what cannot be removed is a volume no more. */
  async #delete({ name, content }: StoredVolume): Promise<void> {
    const doomed = join(this.#folder, `.old-${randomBytes(8).toString("hex")}`);
    renameSync(join(this.#folder, name), doomed);
    if (content.kind === "folder") await removeTree(join(doomed, "_data"));
    rmSync(doomed, { recursive: true, force: true });
  }

  #view(volume: StoredVolume): VolumeView {
    const folder = join(this.#folder, volume.name);
    const { content } = volume;
    const paths = { folder: join(folder, "_data"), disk: join(folder, "disk.img") };
    const path = content.kind === "device" ? content.path : paths[content.kind];
    return { ...volume, path, users: this.#users(volume.name) };
  }

  /** Containers that were removed, or never came to be, have no folder. */
  #users(name: string): string[] {
    return listFolder(join(this.#folder, name, "users")).filter((id) =>
      existsSync(join(this.#dataRoot, "containers", id)),
    );
  }

  #names(): string[] {
    return listFolder(this.#folder)
      .filter((name) => VOLUME_NAME.test(name))
      .sort();
  }

  /** The file is our own; one of another version is told of, not guessed at. */
  #read(name: string): StoredVolume | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.#folder, name, "volume.json"), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const volume: Partial<StoredVolume> = JSON.parse(text);
    if (volume.version === VOLUME_VERSION && volume.name === name) return volume as StoredVolume;
    throw volumeError("VOLUME_CORRUPT", `volume ${name} has version ${volume.version}`);
  }
}

/** root sees others' volumes, but what it calls by a name is not to be what another has put there under it. */
function checkOwn({ name, owner = process.getuid?.() }: StoredVolume, asker = process.getuid?.()) {
  if (owner === asker) return;
  throw volumeError("VOLUME_INVALID", `volume ${name} is user ${owner}'s`, {
    hint: "take another name, or the volumes of that user's container: --volumes-from",
  });
}

/** root sees all, everyone else what is theirs. */
function maySee({ owner }: StoredVolume, uid: number | undefined): boolean {
  return uid === undefined || uid === 0 || uid === (owner ?? process.getuid?.());
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
