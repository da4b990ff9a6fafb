/**
 * The image store: names, manifests, configs and layers in one folder that several processes share.
 *
 *   images.json     names, whose they are, and what they stand for
 *   blobs/sha256/   manifests and configs
 *   layers/sha256/  a folder a layer: data, entries, skeleton, meta.json
 *   leases/         what containers use, a file each
 *   tmp/            a locked folder for each process at work
 *   lock            the store's lock
 *
 * Names belong to users; what they stand for is kept once for all, and whoever has no image with a layer shows that
 * they have its content before it is theirs (`mayShare`).
 */
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BlobStore } from "./blob-store.ts";
import { type ImageConfig, parseConfig } from "./config.ts";
import { type Digest, excerpt, hexOf, parseDigest } from "./digest.ts";
import { imageError } from "./errors.ts";
import { ImageIndex, isOwn, isTheirs, type NamedImage } from "./image-index.ts";
import { optionalStrings, parseJsonObject } from "./json.ts";
import { LayerStore, type StoredLayer } from "./layer-store.ts";
import { formatReference, type NamedReference, parseNamed } from "./reference.ts";
import {
  readIfThere,
  removeHalfWritten,
  replaceFile,
  type Session,
  StoreFolder,
} from "./store-folder.ts";

/** An image whose layers are all in the store. */
export interface StoredImage {
  /** what it was asked for by */
  readonly name: string;
  readonly manifestDigest: Digest;
  /** digest of what its name stands for in its registry; absent: not known to be there */
  readonly repositoryDigest?: Digest;
  /** digest of the config, which is the image's ID */
  readonly imageId: Digest;
  readonly config: ImageConfig;
  /** lowest first */
  readonly layers: readonly StoredLayer[];
}

/** An image of the store that no prune takes away before it is disposed of. */
export interface HeldImage extends StoredImage, AsyncDisposable {}

/** What a prune took away. */
export interface PruneResult {
  readonly layers: readonly {
    readonly diffId: Digest;
    /** its data, in `bytes` */
    readonly bytes: number;
  }[];
}

const LEASE_VERSION = 1;
const LEASE_FILE = "lease.json";
const MAX_LEASED = 100_000;
/** A lease's name is a file's name. */
const LEASE_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

export class ImageStore {
  readonly folder: StoreFolder;
  readonly layers: LayerStore;
  readonly blobs: BlobStore;
  readonly #index: ImageIndex;
  readonly #uid: number;

  private constructor(folder: StoreFolder, uid: number) {
    this.folder = folder;
    this.layers = new LayerStore(folder);
    this.blobs = new BlobStore(folder);
    this.#index = new ImageIndex(folder);
    this.#uid = uid;
  }

  /**
   * Opens the store in a folder, and makes it when it is not there.
   * @throws STORE_UNUSABLE for a folder that is another user's
   */
  static async open(root: string): Promise<ImageStore> {
    return new ImageStore(await StoreFolder.open(root), process.getuid?.() ?? 0);
  }

  /** The same store for another user: what names there are, and whose those are that it gives. */
  for(uid: number): ImageStore {
    return uid === this.#uid ? this : new ImageStore(this.folder, uid);
  }

  /** Whether its user is another than the engine's own, and not root. */
  get isForeign(): boolean {
    return this.#uid !== 0 && !isOwn(this.#uid, undefined);
  }

  /** The images that the user may see, their own first, by name. @throws STORE_CORRUPT */
  async list(): Promise<readonly NamedImage[]> {
    const seen = (await this.#index.list()).filter(({ owner }) => isTheirs(this.#uid, owner));
    const isOthers = ({ owner }: NamedImage) => !isOwn(this.#uid, owner);
    return [...seen.filter((image) => !isOthers(image)), ...seen.filter(isOthers)];
  }

  /**
   * Whether a layer of the store may be the user's without being read again: its digest alone, which anybody may know,
   * does not give them its content.
   */
  async mayShare(diffId: Digest): Promise<boolean> {
    if (!this.isForeign) return true;
    return (await this.list()).some(({ diffIds }) => diffIds.includes(diffId));
  }

  /**
   * Finds an image by name, or by its ID or the beginning of it; a name goes before an ID.
   * @throws REFERENCE_INVALID, IMAGE_AMBIGUOUS, STORE_CORRUPT
   */
  async find(text: string): Promise<NamedImage | undefined> {
    const images = await this.list();
    return findByName(images, text) ?? findById(images, text);
  }

  /**
   * Opens an image of the store.
   * @returns `undefined` when no image has the name, or a layer of it is gone
   * @throws REFERENCE_INVALID, IMAGE_AMBIGUOUS, STORE_CORRUPT
   */
  async get(text: string): Promise<StoredImage | undefined> {
    const found = await this.find(text);
    return found === undefined ? undefined : this.open(found);
  }

  /**
   * Finds an image and keeps it from being pruned, in one step.
   * @returns `undefined` as with `get`
   * @throws REFERENCE_INVALID, IMAGE_AMBIGUOUS, STORE_CORRUPT
   */
  async hold(text: string): Promise<HeldImage | undefined> {
    const held = await this.#findAndHold(text);
    if (held === undefined) return undefined;
    const { found, session } = held;
    const dispose = () => session[Symbol.asyncDispose]();
    try {
      const image = await this.open(found);
      if (image !== undefined) return { ...image, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
    await dispose();
    return undefined;
  }

  /** Opens a listed image. @returns `undefined` when a layer of it is gone @throws STORE_CORRUPT */
  async open(found: NamedImage): Promise<StoredImage | undefined> {
    const where = `config ${found.imageId}`;
    const bytes = await this.blobs.get(found.imageId);
    const config = parseConfig(bytes, where, found.diffIds.length);
    const layers = await Promise.all(config.diffIds.map((diffId) => this.layers.get(diffId)));
    const present = layers.filter((layer) => layer !== undefined);
    if (present.length < layers.length) return undefined;
    return { ...found, config, layers: present };
  }

  /** Gives a name to an image whose parts are in the store, or lists it without one. */
  async tag(image: StoredImage, reference: NamedReference | undefined): Promise<void> {
    const { manifestDigest, imageId, config, repositoryDigest } = image;
    using _ = await this.folder.lock();
    await this.#index.set({
      name: reference === undefined ? "" : formatReference(reference),
      manifestDigest,
      ...(repositoryDigest === undefined ? {} : { repositoryDigest }),
      imageId,
      diffIds: config.diffIds,
      added: new Date().toISOString(),
      ...(isOwn(this.#uid, undefined) ? {} : { owner: this.#uid }),
    });
  }

  /** Takes a name away; what only it used goes with the next prune. @returns whether it was there */
  async untag(reference: NamedReference): Promise<boolean> {
    const wanted = formatReference(reference);
    const gone = await this.remove(({ name, owner }) => name === wanted && isOwn(this.#uid, owner));
    return gone.length > 0;
  }

  /** Takes entries of `list` away; what only they used goes with the next prune. @returns those that were there */
  async remove(isToGo: (image: NamedImage) => boolean): Promise<readonly NamedImage[]> {
    using _ = await this.folder.lock();
    return this.#index.remove((image) => isTheirs(this.#uid, image.owner) && isToGo(image));
  }

  /** Who keeps an image beside its names: ids of containers, and how many are at work with it just now. */
  async users(
    imageId: Digest,
  ): Promise<{ readonly containers: readonly string[]; readonly sessions: number }> {
    using _ = await this.folder.lock();
    const containers: string[] = [];
    for (const name of await this.#leaseNames())
      if ((await readLease(this.folder.path("leases", name))).includes(imageId))
        containers.push(name.slice(0, -".json".length));
    let sessions = 0;
    for (const path of await this.folder.liveSessions())
      if ((await readLease(join(path, LEASE_FILE))).includes(imageId)) sessions++;
    return { containers, sessions };
  }

  /** Begins to work with layers and documents: they stay until the session ends, whether they are there yet or not. */
  async beginSession(digests: readonly Digest[]): Promise<Session> {
    using _ = await this.folder.lock();
    const session = await this.folder.beginSession();
    await writeFile(join(session.path, LEASE_FILE), leaseText(digests), { mode: 0o600 });
    return session;
  }

  /** Sets anew what a session works with. */
  async leaseForSession(session: Session, digests: readonly Digest[]): Promise<void> {
    using _ = await this.folder.lock();
    await writeFile(join(session.path, LEASE_FILE), leaseText(digests), { mode: 0o600 });
  }

  /** Keeps an image's parts for a container, until `release`; a second call with the same ID replaces the first. */
  async lease(id: string, image: StoredImage): Promise<void> {
    using _ = await this.folder.lock();
    const parts = [...image.config.diffIds, image.imageId, image.manifestDigest];
    await replaceFile(this.#leasePath(id), leaseText(parts));
  }

  /** Keeps for another what is kept for one; nothing happens when that is nothing. */
  async shareLease(from: string, to: string): Promise<void> {
    using _ = await this.folder.lock();
    await replaceFile(this.#leasePath(to), leaseText(await readLease(this.#leasePath(from))));
  }

  /** Ends a lease. */
  async release(id: string): Promise<void> {
    await rm(this.#leasePath(id), { force: true });
  }

  /** Removes layers and documents that no name, no lease and nobody at work needs. */
  async prune(): Promise<PruneResult> {
    await using session = await this.beginSession([]);
    const removed: StoredLayer[] = [];
    {
      using _ = await this.folder.lock();
      for (const folder of [".", "blobs/sha256", "leases"])
        await removeHalfWritten(this.folder.path(folder));
      const used = await this.#used();
      for (const digest of await this.blobs.list())
        if (!used.has(digest)) await this.blobs.remove(digest);
      for (const diffId of await this.layers.list()) {
        if (used.has(diffId)) continue;
        const layer = await this.layers.get(diffId);
        // Moved under the lock, removed with the session after it: a rename is short, a removal may not be.
        await this.layers.moveOut(diffId, session);
        if (layer !== undefined) removed.push(layer);
      }
    }
    return { layers: removed.map(({ diffId, dataLength: bytes }) => ({ diffId, bytes })) };
  }

  /** Does something while nobody is at work with an image, keeps one, or can begin to; else nothing. */
  async whenIdle(act: () => Promise<void>): Promise<void> {
    using _ = await this.folder.lock();
    const busy = (await this.#leaseNames()).length + (await this.folder.liveSessions()).length;
    if (busy === 0) await act();
  }

  async #used(): Promise<ReadonlySet<string>> {
    const used = new Set<string>();
    for (const image of await this.#index.list())
      for (const digest of [image.manifestDigest, image.imageId, ...image.diffIds])
        used.add(digest);
    const leases = (await this.#leaseNames()).map((name) => this.folder.path("leases", name));
    const sessions = (await this.folder.liveSessions()).map((path) => join(path, LEASE_FILE));
    for (const path of [...leases, ...sessions])
      for (const digest of await readLease(path)) used.add(digest);
    return used;
  }

  async #leaseNames(): Promise<string[]> {
    return (await readdir(this.folder.path("leases"))).filter((name) => name.endsWith(".json"));
  }

  async #findAndHold(
    text: string,
  ): Promise<{ readonly found: NamedImage; readonly session: Session } | undefined> {
    using _ = await this.folder.lock();
    const found = await this.find(text);
    if (found === undefined) return undefined;
    const session = await this.folder.beginSession();
    const parts = [...found.diffIds, found.imageId, found.manifestDigest];
    await writeFile(join(session.path, LEASE_FILE), leaseText(parts), { mode: 0o600 });
    return { found, session };
  }

  #leasePath(id: string): string {
    if (!LEASE_ID.test(id)) throw new RangeError(`not the ID of a lease: ${excerpt(id)}`);
    return this.folder.path("leases", `${id}.json`);
  }
}

function leaseText(digests: readonly Digest[]): string {
  return `${JSON.stringify({ version: LEASE_VERSION, digests })}\n`;
}

async function readLease(path: string): Promise<readonly Digest[]> {
  const bytes = await readIfThere(path);
  // A session that has only begun, or one that has just ended.
  if (bytes === undefined) return [];
  const list = optionalStrings(parseJsonObject(bytes, path), "digests", {
    where: path,
    max: MAX_LEASED,
  });
  return (list ?? []).map((text) => parseDigest(text, path));
}

function findByName(images: readonly NamedImage[], text: string): NamedImage | undefined {
  // An ID in its full form is no name, though it parses as one.
  if (text.startsWith("sha256:") || /^[0-9a-f]{64}$/.test(text)) return undefined;
  const reference = parseNamed(text);
  if (reference.digest !== undefined) {
    const repository = formatReference({ ...reference, tag: undefined, digest: undefined });
    return images.find(
      ({ name, manifestDigest, repositoryDigest }) =>
        [manifestDigest, repositoryDigest].includes(reference.digest) &&
        (name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`)),
    );
  }
  const wanted = formatReference(reference);
  return images.find((image) => image.name === wanted);
}

function findById(images: readonly NamedImage[], text: string): NamedImage | undefined {
  const prefix = text.startsWith("sha256:") ? text.slice("sha256:".length) : text;
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined;
  const found = images.filter((image) => hexOf(image.imageId).startsWith(prefix));
  const ids = new Set(found.map((image) => image.imageId));
  if (ids.size > 1)
    throw imageError("IMAGE_AMBIGUOUS", `${text} begins the IDs of ${ids.size} images`);
  return found[0];
}
