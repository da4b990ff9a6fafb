/**
 * The volumes: `DATA_ROOT/volumes/NAME` with `volume.json`, the content in `_data` or `disk.img`, and a file in `users`
 * for each container that has it, named by the id; those of other users than the engine's own are in
 * `DATA_ROOT/volumes/@UID/NAME`, so that names are each user's. Whoever changes one holds the lock of the folder of all.
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

/** A volume and its folder. */
interface KeptVolume {
  readonly volume: StoredVolume;
  readonly folder: string;
}

/** Folder of another user's volumes: no volume's name begins like it. */
const USERS_FOLDER = /^@\d{1,10}$/;

export class VolumeStore {
  readonly #dataRoot: string;
  readonly #folder: string;

  constructor(dataRoot: string) {
    this.#dataRoot = dataRoot;
    this.#folder = join(dataRoot, "volumes");
  }

  /**
   * Makes a volume; one of the owner's that is there already is left as it is, as with Docker.
   *
   * @throws DvmError `VOLUME_INVALID`
   */
  async create(options: CreateVolumeOptions): Promise<VolumeView> {
    checkVolumeName(options.name);
    using _lock = await this.#lock();
    return this.#view((await this.#create(options)).kept);
  }

  /**
   * The volume for a container, made when it is missing; it stays as long as the container.
   *
   * @param onCreated told of one that was missing
   */
  async use(
    container: string,
    options: CreateVolumeOptions,
    onCreated: (volume: VolumeView) => void = () => {},
  ): Promise<VolumeView> {
    checkVolumeName(options.name);
    using _lock = await this.#lock();
    const { kept, isNew } = await this.#create(options);
    const users = join(kept.folder, "users");
    mkdirSync(users, { recursive: true, mode: 0o700 });
    writeFileSync(join(users, container), "", { mode: 0o600 });
    const view = this.#view(kept);
    if (isNew) onCreated(view);
    return view;
  }

  /**
   * A container has its volumes no more.
   *
   * @param options whether those without a name go with it, unless another container has them
   * @returns those that went
   */
  async release(
    container: string,
    options: { readonly removeAnonymous: boolean },
  ): Promise<readonly StoredVolume[]> {
    const had = this.#all().filter(({ folder }) => existsSync(join(folder, "users", container)));
    if (had.length === 0) return [];
    using _lock = await this.#lock();
    const gone: StoredVolume[] = [];
    for (const kept of had) {
      rmSync(join(kept.folder, "users", container), { force: true });
      if (!options.removeAnonymous || !kept.volume.isAnonymous) continue;
      if (!existsSync(kept.folder) || this.#view(kept).users.length > 0) continue;
      await this.#delete(kept);
      gone.push(kept.volume);
    }
    return gone;
  }

  /** Those that the user may see, by name. @param uid 0 or absent: all */
  list(uid?: number): VolumeView[] {
    return this.#seenBy(uid).map((kept) => this.#view(kept));
  }

  /** The user's own before others'. @throws DvmError `NO_SUCH_VOLUME` */
  find(name: string, uid?: number): VolumeView {
    return this.#view(this.#find(name, uid));
  }

  /** The volume whose content is at a path. */
  at(path: string): VolumeView | undefined {
    return this.list().find((view) => view.path === path);
  }

  /** @throws DvmError `VOLUME_IN_USE` naming the containers; `NO_SUCH_VOLUME` unless forced */
  async remove(
    name: string,
    options: { readonly force?: boolean; readonly uid?: number } = {},
  ): Promise<VolumeView | undefined> {
    const isThere = this.#seenBy(options.uid).some(({ volume }) => volume.name === name);
    if (options.force && !isThere) return undefined;
    this.#find(name, options.uid);
    using _lock = await this.#lock();
    const kept = this.#find(name, options.uid);
    const volume = this.#view(kept);
    if (volume.users.length > 0) {
      throw volumeError(
        "VOLUME_IN_USE",
        `remove ${name}: volume is in use - [${volume.users.join(", ")}]`,
        { hint: "remove these containers first: dvm rm" },
      );
    }
    await this.#delete(kept);
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
    for (const kept of this.#seenBy(uid)) {
      const volume = this.#view(kept);
      if (volume.users.length > 0 || !accepts(volume)) continue;
      reclaimed += await this.size(volume);
      await this.#delete(kept);
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
  }: CreateVolumeOptions): Promise<{ readonly kept: KeptVolume; readonly isNew: boolean }> {
    const content = volumeKind(driver, options);
    if (content.kind === "device" && isForeign) {
      throw volumeError(
        "VOLUME_INVALID",
        `device ${content.path} cannot be shared by a daemon of another user`,
      );
    }
    // what root calls by a name is not what another has put there under it
    const there = this.#all().find((kept) => kept.volume.name === name && isOf(kept, owner));
    if (there !== undefined) return { kept: there, isNew: false };
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
    return { kept: await this.#make(volume), isNew: true };
  }

  /** Under another name first: what has a volume's name is whole. */
  async #make(volume: StoredVolume): Promise<KeptVolume> {
    const home = this.#home(volume.owner);
    makePrivateFolder(home);
    const folder = join(home, volume.name);
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
      renameSync(draft, folder);
      return { volume, folder };
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw error;
    }
  }

  /** Gives the name back first: what cannot be removed is a volume no more. */
  async #delete({ folder, volume: { content } }: KeptVolume): Promise<void> {
    const doomed = join(this.#folder, `.old-${randomBytes(8).toString("hex")}`);
    renameSync(folder, doomed);
    if (content.kind === "folder") await removeTree(join(doomed, "_data"));
    rmSync(doomed, { recursive: true, force: true });
  }

  #view({ volume, folder }: KeptVolume): VolumeView {
    const { content } = volume;
    const paths = { folder: join(folder, "_data"), disk: join(folder, "disk.img") };
    const path = content.kind === "device" ? content.path : paths[content.kind];
    return { ...volume, path, users: this.#users(folder) };
  }

  /** Containers that were removed, or never came to be, have no folder. */
  #users(folder: string): string[] {
    return listFolder(join(folder, "users")).filter((id) =>
      existsSync(join(this.#dataRoot, "containers", id)),
    );
  }

  /** Where a user's volumes are. */
  #home(owner: number | undefined): string {
    return isSelf(owner) ? this.#folder : join(this.#folder, `@${owner}`);
  }

  /** Those of all users, by name. */
  #all(): KeptVolume[] {
    const homes = listFolder(this.#folder).filter((name) => USERS_FOLDER.test(name));
    return [this.#folder, ...homes.map((name) => join(this.#folder, name))]
      .flatMap((home) =>
        listFolder(home)
          .filter((name) => VOLUME_NAME.test(name))
          .flatMap((name) => this.#read(join(home, name), name) ?? []),
      )
      .sort((a, b) => (a.volume.name < b.volume.name ? -1 : 1));
  }

  #seenBy(uid: number | undefined): KeptVolume[] {
    return this.#all().filter(({ volume }) => maySee(volume, uid));
  }

  #find(name: string, uid: number | undefined): KeptVolume {
    const named = this.#seenBy(uid).filter(({ volume }) => volume.name === name);
    const found = named.find((kept) => isOf(kept, uid)) ?? named[0];
    if (found !== undefined) return found;
    throw volumeError("NO_SUCH_VOLUME", `get ${name.slice(0, 130)}: no such volume`);
  }

  /** The file is our own; one of another version is told of, not guessed at. */
  #read(folder: string, name: string): KeptVolume | undefined {
    let text: string;
    try {
      text = readFileSync(join(folder, "volume.json"), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const volume: Partial<StoredVolume> = JSON.parse(text);
    if (volume.version === VOLUME_VERSION && volume.name === name)
      return { volume: volume as StoredVolume, folder };
    throw volumeError("VOLUME_CORRUPT", `volume ${name} has version ${volume.version}`);
  }
}

/** Whether an owner is the engine's own user. */
function isSelf(owner: number | undefined): boolean {
  return owner === undefined || owner === process.getuid?.();
}

function isOf({ volume }: KeptVolume, uid: number | undefined): boolean {
  return (volume.owner ?? process.getuid?.()) === (uid ?? process.getuid?.());
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
