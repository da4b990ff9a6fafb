/** Manifests and configs on disk, by digest. Layers' blobs are not kept: the layer store can make their tar again. */
import { readdir, rm } from "node:fs/promises";
import { type Digest, digestOf, fromHex, hexOf, isDigest } from "./digest.ts";
import { imageError } from "./errors.ts";
import { readIfThere, replaceFile, type StoreFolder } from "./store-folder.ts";

export class BlobStore {
  readonly #store: StoreFolder;

  constructor(store: StoreFolder) {
    this.#store = store;
  }

  /** Stores bytes; doing it again does no harm. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    if (await this.has(digest)) return digest;
    // With the lock held, so that whoever has it knows a half-written file for one of a dead process.
    using _ = await this.#store.lock();
    await replaceFile(this.#path(digest), bytes);
    return digest;
  }

  /** Whether the blob is there and whole. */
  async has(digest: Digest): Promise<boolean> {
    const bytes = await readIfThere(this.#path(digest));
    return bytes !== undefined && digestOf(bytes) === digest;
  }

  /** Reads a blob. @throws STORE_CORRUPT when it is missing or damaged */
  async get(digest: Digest): Promise<Buffer> {
    const bytes = await readIfThere(this.#path(digest));
    if (bytes === undefined) throw imageError("STORE_CORRUPT", `the store lacks blob ${digest}`);
    if (digestOf(bytes) !== digest)
      throw imageError("STORE_CORRUPT", `damaged blob in the store: ${digest}`);
    return bytes;
  }

  /** Digests of all blobs. */
  async list(): Promise<Digest[]> {
    const names = await readdir(this.#store.path("blobs/sha256"));
    return names.filter((name) => isDigest(`sha256:${name}`)).map(fromHex);
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  #path(digest: Digest): string {
    return this.#store.path("blobs/sha256", hexOf(digest));
  }
}
