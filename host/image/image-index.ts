/** The names of the images in a store: one versioned file, replaced whole, changed under the store's lock. */
import { type Digest, parseDigest } from "./digest.ts";
import { imageError } from "./errors.ts";
import { asObject, optionalArray, parseJsonObject, requiredString } from "./json.ts";
import { readIfThere, replaceFile, type StoreFolder } from "./store-folder.ts";

/** An image that has a name. */
export interface NamedImage {
  /** full name: `docker.io/library/busybox:latest` */
  readonly name: string;
  readonly manifestDigest: Digest;
  /** digest of the config, which is the image's ID */
  readonly imageId: Digest;
  /** digests of its layers' tar streams, lowest first */
  readonly diffIds: readonly Digest[];
  /** time when the name was given, RFC 3339 */
  readonly added: string;
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

  /** All images, by name. @throws STORE_CORRUPT */
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

  /** Gives a name to an image; whoever had it loses it. To be called with the store's lock held. */
  async set(image: NamedImage): Promise<void> {
    const others = (await this.list()).filter(({ name }) => name !== image.name);
    await this.#write([...others, image]);
  }

  /** Takes a name away. To be called with the store's lock held. @returns whether it was there */
  async remove(name: string): Promise<boolean> {
    const images = await this.list();
    const others = images.filter((image) => image.name !== name);
    if (others.length === images.length) return false;
    await this.#write(others);
    return true;
  }

  async #write(images: readonly NamedImage[]): Promise<void> {
    const sorted = images.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const text = JSON.stringify({ version: INDEX_VERSION, images: sorted }, undefined, 1);
    await replaceFile(this.#store.path(INDEX_FILE), `${text}\n`);
  }
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
      imageId: parseDigest(requiredString(object, "imageId", where), where),
      diffIds: diffIds.map((diffId) => parseDigest(String(diffId), where)),
      added: requiredString(object, "added", where),
    };
  });
}
