/** The names of the images in a store: one versioned file, replaced whole, changed under the store's lock. */
import { type Digest, parseDigest } from "./digest.ts";
import { imageError } from "./errors.ts";
import {
  asObject,
  type JsonObject,
  optionalArray,
  optionalString,
  parseJsonObject,
  requiredSize,
  requiredString,
} from "./json.ts";
import { readIfThere, replaceFile, type StoreFolder } from "./store-folder.ts";

/** An image and a name of it; one that lost its last name, or never had one, is listed without. */
export interface NamedImage {
  /** full name: `docker.io/library/busybox:latest`; empty for none */
  readonly name: string;
  readonly manifestDigest: Digest;
  /** digest of what the name stands for in its registry, an index or a manifest; absent: not known to be there */
  readonly repositoryDigest?: Digest;
  /** digest of the config, which is the image's ID */
  readonly imageId: Digest;
  /** digests of its layers' tar streams, lowest first */
  readonly diffIds: readonly Digest[];
  /** time when the name was given, RFC 3339 */
  readonly added: string;
  /** uid of whose name it is; absent: the engine's own user's */
  readonly owner?: number;
}

/** Whether a user sees another's names: root sees everybody's. */
export function isTheirs(uid: number, owner: number | undefined): boolean {
  return uid === 0 || isOwn(uid, owner);
}

/** Whether a name is a user's own. */
export function isOwn(uid: number, owner: number | undefined): boolean {
  return uid === (owner ?? process.getuid?.() ?? 0);
}

const INDEX_FILE = "images.json";
const INDEX_VERSION = 1;
/** Most names in a store. */
const MAX_IMAGES = 100_000;

export class ImageIndex {
  readonly #store: StoreFolder;

  constructor(store: StoreFolder) {
    this.#store = store;
  }

  /** All images of all users, by name. @throws STORE_CORRUPT */
  async list(): Promise<readonly NamedImage[]> {
    const path = this.#store.path(INDEX_FILE);
    const bytes = await readIfThere(path);
    if (bytes === undefined) return [];
    try {
      return parseIndexFile(bytes, path);
    } catch (cause) {
      throw imageError("STORE_CORRUPT", `damaged list of images: ${path}`, { cause });
    }
  }

  /**
   * Gives a name to an image, or lists it without one. Which image of the owner's had the name loses it, and stays. To
   * be called with the store's lock held.
   */
  async set(image: NamedImage): Promise<void> {
    const all = await this.list();
    const images = all.filter(({ owner }) => owner === image.owner);
    const ofOthers = all.filter(({ owner }) => owner !== image.owner);
    const isOfImage = ({ imageId }: NamedImage) => imageId === image.imageId;
    if (image.name === "" && images.some(isOfImage)) return;
    const others = images.filter(
      (each) =>
        !(each.name === image.name && each.name !== "") && !(each.name === "" && isOfImage(each)),
    );
    const loser = images.find(({ name }) => name !== "" && name === image.name);
    const isLost =
      loser !== undefined &&
      !isOfImage(loser) &&
      !others.some(({ imageId }) => imageId === loser.imageId);
    await this.#write([...ofOthers, ...others, image, ...(isLost ? [withoutName(loser)] : [])]);
  }

  /** Takes entries away. To be called with the store's lock held. @returns those that were there */
  async remove(isToGo: (image: NamedImage) => boolean): Promise<readonly NamedImage[]> {
    const images = await this.list();
    const gone = images.filter(isToGo);
    if (gone.length > 0) await this.#write(images.filter((image) => !isToGo(image)));
    return gone;
  }

  async #write(images: readonly NamedImage[]): Promise<void> {
    const sorted = images.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const text = JSON.stringify({ version: INDEX_VERSION, images: sorted }, undefined, 1);
    await replaceFile(this.#store.path(INDEX_FILE), `${text}\n`);
  }
}

function withoutName({ repositoryDigest: _, ...image }: NamedImage): NamedImage {
  return { ...image, name: "" };
}

function parseIndexFile(bytes: Buffer, where: string): readonly NamedImage[] {
  const document = parseJsonObject(bytes, where);
  if (document.version !== INDEX_VERSION)
    throw imageError("STORE_CORRUPT", `${where}: version is not ${INDEX_VERSION}`);
  const list = optionalArray(document, "images", { where, max: MAX_IMAGES }) ?? [];
  return list.map((item) => {
    const object = asObject(item, where);
    const diffIds = optionalArray(object, "diffIds", { where, max: MAX_IMAGES }) ?? [];
    return {
      name: requiredString(object, "name", where),
      manifestDigest: parseDigest(requiredString(object, "manifestDigest", where), where),
      ...repositoryDigest(object, where),
      imageId: parseDigest(requiredString(object, "imageId", where), where),
      diffIds: diffIds.map((diffId) => parseDigest(String(diffId), where)),
      added: requiredString(object, "added", where),
      ...(object.owner === undefined ? {} : { owner: requiredSize(object, "owner", where) }),
    };
  });
}

function repositoryDigest(object: JsonObject, where: string): Pick<NamedImage, "repositoryDigest"> {
  const text = optionalString(object, "repositoryDigest", where);
  return text === undefined ? {} : { repositoryDigest: parseDigest(text, where) };
}
