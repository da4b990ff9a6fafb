/** Layers on disk, each once for all images, by the digest of their tar stream. */
import { mkdirSync, readFileSync } from "node:fs";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layer, LayerEntry } from "../rootfs/entry.ts";
import { type Digest, fromHex, hexOf, isDigest } from "./digest.ts";
import { parseJsonObject, requiredSize, requiredString } from "./json.ts";
import { decodeEntries, ENTRIES_VERSION } from "./layer/entries-file.ts";
import { DATA_FILE, ENTRIES_FILE, type LayerSummary, SKELETON_FILE } from "./layer/read-layer.ts";
import { rebuildTar } from "./layer/skeleton.ts";
import { readIfThere, type Session, type StoreFolder, syncFolder } from "./store-folder.ts";

/** Version of a layer's folder as a whole; folders of another one are made again. */
const LAYER_VERSION = 1;
const META_FILE = "meta.json";

/** A layer in the store; its entries are read when they are first asked for. */
export class StoredLayer implements Layer {
  readonly diffId: Digest;
  readonly dataPath: string;
  readonly dataLength: number;
  /** length of the uncompressed tar stream, in `bytes` */
  readonly unpacked: number;
  readonly #folder: string;
  #entries: readonly LayerEntry[] | undefined;

  constructor(
    diffId: Digest,
    folder: string,
    summary: Pick<LayerSummary, "dataLength" | "unpacked">,
  ) {
    this.diffId = diffId;
    this.dataPath = join(folder, DATA_FILE);
    this.dataLength = summary.dataLength;
    this.unpacked = summary.unpacked;
    this.#folder = folder;
  }

  /** @throws STORE_CORRUPT */
  get entries(): readonly LayerEntry[] {
    const path = join(this.#folder, ENTRIES_FILE);
    this.#entries ??= decodeEntries(readFileSync(path), path);
    return this.#entries;
  }

  /** The layer's tar stream, to the byte. @throws STORE_CORRUPT */
  tar(): Generator<Buffer> {
    return rebuildTar({ data: this.dataPath, skeleton: join(this.#folder, SKELETON_FILE) });
  }
}

export class LayerStore {
  readonly #store: StoreFolder;
  readonly #underWay = new Map<Digest, Promise<StoredLayer>>();

  constructor(store: StoreFolder) {
    this.#store = store;
  }

  /** The layer, if it is there and whole. */
  async get(diffId: Digest): Promise<StoredLayer | undefined> {
    const folder = this.#folder(diffId);
    const meta = await readIfThere(join(folder, META_FILE));
    if (meta === undefined) return undefined;
    const summary = readMeta(meta, diffId);
    if (summary === undefined) return undefined;
    const data = await stat(join(folder, DATA_FILE)).catch(() => undefined);
    if (data?.size !== summary.dataLength) return undefined;
    return new StoredLayer(diffId, folder, summary);
  }

  /**
   * Adds a layer: it is filled in the session's folder and moved into place when it is complete. Two calls for one
   * layer share the work within a process; between processes the first to finish wins.
   */
  add(
    diffId: Digest,
    session: Session,
    fill: (folder: string) => Promise<LayerSummary>,
  ): Promise<StoredLayer> {
    const shared = this.#underWay.get(diffId);
    // Whoever began it may have been cancelled; that is no reason to fail here.
    if (shared !== undefined) return shared.catch(() => this.add(diffId, session, fill));
    const work = this.#add(diffId, session, fill).finally(() => this.#underWay.delete(diffId));
    this.#underWay.set(diffId, work);
    return work;
  }

  /** Digests of all layers. */
  async list(): Promise<Digest[]> {
    const names = await readdir(this.#store.path("layers/sha256"));
    return names.filter((name) => isDigest(`sha256:${name}`)).map(fromHex);
  }

  /** Takes a layer out of the store into a session's folder, where it goes with the session. */
  async moveOut(diffId: Digest, session: Session): Promise<void> {
    await rename(this.#folder(diffId), join(session.path, `old-${hexOf(diffId)}`));
  }

  #folder(diffId: Digest): string {
    return this.#store.path("layers/sha256", hexOf(diffId));
  }

  async #add(
    diffId: Digest,
    session: Session,
    fill: (folder: string) => Promise<LayerSummary>,
  ): Promise<StoredLayer> {
    const folder = join(session.path, hexOf(diffId));
    // At once, so that layers are filled in the order in which they are added.
    mkdirSync(folder, { mode: 0o700 });
    try {
      const summary = await fill(folder);
      const meta = { version: LAYER_VERSION, entriesVersion: ENTRIES_VERSION, diffId, ...summary };
      await writeFile(join(folder, META_FILE), JSON.stringify(meta), { flush: true, mode: 0o600 });
      await syncFolder(folder);
      return await this.#moveIn(diffId, { folder, session });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #moveIn(
    diffId: Digest,
    { folder, session }: { readonly folder: string; readonly session: Session },
  ): Promise<StoredLayer> {
    using _ = await this.#store.lock();
    const existing = await this.get(diffId);
    if (existing !== undefined) return existing;
    const old = await stat(this.#folder(diffId)).catch(() => undefined);
    // What is there is of another version or damaged.
    if (old !== undefined) await this.moveOut(diffId, session);
    await rename(folder, this.#folder(diffId));
    await syncFolder(this.#store.path("layers/sha256"));
    const added = await this.get(diffId);
    if (added === undefined) throw new Error(`layer ${diffId} vanished`);
    return added;
  }
}

function readMeta(bytes: Buffer, diffId: Digest): LayerSummary | undefined {
  try {
    const meta = parseJsonObject(bytes, META_FILE);
    if (meta.version !== LAYER_VERSION || meta.entriesVersion !== ENTRIES_VERSION) return undefined;
    if (requiredString(meta, "diffId", META_FILE) !== diffId) return undefined;
    return {
      entries: requiredSize(meta, "entries", META_FILE),
      dataLength: requiredSize(meta, "dataLength", META_FILE),
      unpacked: requiredSize(meta, "unpacked", META_FILE),
      compressed: requiredSize(meta, "compressed", META_FILE),
    };
  } catch {
    // Damaged by whatever means: the layer is made again.
    return undefined;
  }
}
