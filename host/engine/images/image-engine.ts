/** What can be done with images: the engine's other half, beside containers. */

import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type CommitLayerOptions, commitLayer } from "../../image/archive/commit-layer.ts";
import { importTar } from "../../image/archive/import-tar.ts";
import { loadArchive } from "../../image/archive/load-archive.ts";
import { type SavedImage, saveImages } from "../../image/archive/save-images.ts";
import { parseDigest } from "../../image/digest.ts";
import { imageError } from "../../image/errors.ts";
import type { NamedImage } from "../../image/image-index.ts";
import { type HeldImage, ImageStore, type StoredImage } from "../../image/image-store.ts";
import { hostPlatform, parsePlatform } from "../../image/platform.ts";
import { formatReference, parseNamed } from "../../image/reference.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import { login, logout } from "../../image/registry/login.ts";
import { makeRootDisk } from "../../rootfs/root-disk.ts";
import { type ImageView, imageView } from "./image-view.ts";
import { requireLocal } from "./local-image.ts";
import { openRegistrySession, pullImage, pushNamed, repositoryTags } from "./registry-transfer.ts";
import { pruneImages, type RemovedImages, removeImage } from "./remove-image.ts";
import { type ImageProgress, pullProgress } from "./transfer-progress.ts";

export interface TransferRequest {
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string | undefined;
  /** in place of those in Docker's configuration; "none": neither */
  readonly credentials?: Credentials | "none" | undefined;
  /** hosts that may be spoken to without TLS, beside those of the settings */
  readonly insecure?: readonly string[];
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface PulledImage {
  /** full name */
  readonly name: string;
  readonly id: string;
  /** of what the name stands for in the registry */
  readonly digest: string;
  /** whether the name stood for another image before, or for none */
  readonly isNew: boolean;
}

export interface ImportRequest {
  /** name to give the image; absent: none */
  readonly name?: string | undefined;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  readonly message: string;
  readonly platform?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CommitRequest
  extends Pick<CommitLayerOptions, "section" | "changes" | "author" | "message"> {
  /** digest of the manifest of the image below */
  readonly base: string;
  /** name to give the image; absent: none */
  readonly name?: string | undefined;
}

/** What the store takes on disk. */
export interface ImageUsage {
  /** all layers, each once, in `bytes` */
  readonly layers: number;
  readonly images: readonly {
    readonly id: string;
    /** layers that other images have too, in `bytes` */
    readonly shared: number;
    /** layers that it alone has, in `bytes` */
    readonly unique: number;
    /** containers that keep it */
    readonly containers: number;
  }[];
}

export class ImageEngine {
  readonly #store: ImageStore;
  readonly #dataRoot: string;

  private constructor(store: ImageStore, dataRoot: string) {
    this.#store = store;
    this.#dataRoot = dataRoot;
  }

  static async open(dataRoot: string): Promise<ImageEngine> {
    return new ImageEngine(await ImageStore.open(join(dataRoot, "images")), dataRoot);
  }

  /** All images, the newest first. */
  async list(): Promise<readonly ImageView[]> {
    const all = await this.#store.list();
    const views: ImageView[] = [];
    for (const id of new Set(all.map(({ imageId }) => imageId))) {
      const entries = all.filter(({ imageId }) => imageId === id);
      const [first] = entries;
      const image = first === undefined ? undefined : await this.#openIfListed(first);
      if (image !== undefined) views.push(imageView(image, entries));
    }
    return views.toSorted((a, b) => Date.parse(b.created ?? "") - Date.parse(a.created ?? "") || 0);
  }

  /** By name, ID or the beginning of an ID. @throws IMAGE_NOT_FOUND, IMAGE_AMBIGUOUS */
  async find(reference: string): Promise<ImageView> {
    await using image = await requireLocal(reference, { store: this.#store });
    return imageView(image, await this.#entries(image));
  }

  /** @throws IMAGE_NOT_FOUND, PLATFORM_UNAVAILABLE, DIGEST_MISMATCH, LAYER_*, REGISTRY_*, LOAD_CANCELLED */
  async pull(text: string, request: TransferRequest): Promise<PulledImage> {
    const reference = parseNamed(text);
    const name = formatReference(reference);
    const before = await this.#store.find(name);
    await using image = await pullImage(reference, {
      ...this.#transfer(request),
      platform: request.platform,
      onEvent: (event) => pullProgress(event).forEach(request.onProgress),
    });
    // Made now, so that no container waits for it.
    await makeRootDisk({
      layers: image.layers,
      directory: join(this.#dataRoot, "root-disks"),
      mountPoints: true,
    });
    return {
      name,
      id: image.imageId,
      digest: image.repositoryDigest ?? image.manifestDigest,
      isNew: before?.imageId !== image.imageId,
    };
  }

  /** Pulls every tag of a repository, one after another. @throws as pull does */
  async pullAll(repository: string, request: TransferRequest): Promise<readonly PulledImage[]> {
    const tags = await repositoryTags(parseNamed(repository), this.#transfer(request));
    const pulled: PulledImage[] = [];
    for (const tag of tags) pulled.push(await this.pull(tag, request));
    return pulled;
  }

  /** Pushes every tag that a repository has here. @throws as push does */
  async pushAll(
    repository: string,
    request: TransferRequest,
  ): Promise<readonly { readonly tag: string; readonly digest: string; readonly size: number }[]> {
    const { domain, path } = parseNamed(repository);
    const named = (await this.#store.list()).filter(({ name }) => name !== "");
    const own = named
      .map(({ name }) => parseNamed(name))
      .filter((each) => each.domain === domain && each.path === path);
    const pushed = [];
    for (const reference of own)
      if (reference.tag !== undefined)
        pushed.push({
          tag: reference.tag,
          ...(await this.push(formatReference(reference), request)),
        });
    if (pushed.length === 0)
      throw imageError(
        "IMAGE_NOT_FOUND",
        `An image does not exist locally with the tag: ${repository}`,
      );
    return pushed;
  }

  /** @throws IMAGE_NOT_FOUND, REGISTRY_*, LOAD_CANCELLED */
  push(
    name: string,
    request: TransferRequest,
  ): Promise<{ readonly digest: string; readonly size: number }> {
    return pushNamed(name, { ...this.#transfer(request), onProgress: request.onProgress });
  }

  /** Shows credentials to a registry and keeps them. @returns the helper that keeps them; absent: a file */
  async login(
    host: string,
    credentials: Credentials,
    insecure: readonly string[] = [],
  ): Promise<string | undefined> {
    const options = { dataRoot: this.#dataRoot, credentials, insecure };
    await using session = await openRegistrySession(options);
    return await login(host, credentials, session);
  }

  /** @returns whether there were credentials */
  async logout(host: string): Promise<boolean> {
    await using session = await openRegistrySession({ dataRoot: this.#dataRoot });
    return await logout(host, session);
  }

  /** Gives an image another name. @throws IMAGE_NOT_FOUND, REFERENCE_INVALID */
  async tag(reference: string, name: string): Promise<void> {
    const target = parseNamed(name);
    if (target.digest !== undefined)
      throw imageError(
        "REFERENCE_INVALID",
        `refusing to create a tag with a digest reference: ${name}`,
      );
    await using image = await requireLocal(reference, { store: this.#store });
    const { repositoryDigest: _, ...rest } = image;
    await this.#store.tag(rest, target);
  }

  /** @throws IMAGE_NOT_FOUND, IMAGE_IN_USE */
  remove(reference: string, options: { readonly force: boolean }): Promise<RemovedImages> {
    return removeImage(reference, { ...options, store: this.#store, dataRoot: this.#dataRoot });
  }

  /** Removes images without a name, or with `all` every image that no container uses. */
  prune(options: {
    readonly all: boolean;
    readonly accepts?: (imageId: string) => boolean;
  }): Promise<RemovedImages> {
    return pruneImages({ ...options, force: false, store: this.#store, dataRoot: this.#dataRoot });
  }

  /** Writes images as an archive. @throws IMAGE_NOT_FOUND, STORE_CORRUPT */
  async save(references: readonly string[], output: Writable, signal?: AbortSignal): Promise<void> {
    await using held = new AsyncDisposableStack();
    const images = new Map<string, SavedImage>();
    for (const reference of references) {
      const image = held.use(await requireLocal(reference, { store: this.#store }));
      const known = images.get(image.imageId);
      const names = [...(known?.names ?? []), ...(await this.#namesFor(reference, image))];
      images.set(image.imageId, { image: known?.image ?? image, names });
    }
    await saveImages([...images.values()], this.#store, output, signal);
  }

  /** Loads all images of a file, a folder or a stream. @returns what was loaded: names, or IDs of those without one */
  async load(
    input: string | Readable,
    request: Pick<TransferRequest, "platform" | "onProgress" | "signal">,
  ): Promise<readonly { readonly id: string; readonly name?: string }[]> {
    const loaded: { id: string; name?: string }[] = [];
    await loadArchive(input, {
      store: this.#store,
      platform: request.platform === undefined ? undefined : parsePlatform(request.platform),
      onEvent: (event) => pullProgress(event).forEach(request.onProgress),
      onImage: ({ imageId: id }, name) =>
        loaded.push(name === undefined ? { id } : { id, name: formatReference(name) }),
      signal: request.signal,
    });
    return loaded;
  }

  /** Makes an image of one layer from a tar. @returns its ID @throws CHANGE_INVALID, LAYER_*, PLATFORM_UNAVAILABLE */
  async import(input: AsyncIterable<Uint8Array>, request: ImportRequest): Promise<string> {
    const { name, platform, changes, message, signal } = request;
    await using image = await importTar(input, {
      store: this.#store,
      platform: platform === undefined ? hostPlatform() : parsePlatform(platform),
      changes,
      message,
      name: name === undefined ? undefined : parseNamed(name),
      signal,
    });
    return image.imageId;
  }

  /** Makes an image of another and a further layer. @returns its ID @throws CHANGE_INVALID, LAYER_* */
  async commit(
    input: AsyncIterable<Uint8Array>,
    { base, name, ...request }: CommitRequest,
  ): Promise<string> {
    await using image = await commitLayer(input, {
      ...request,
      store: this.#store,
      base: parseDigest(base, "base image"),
      name: name === undefined ? undefined : parseNamed(name),
    });
    return image.imageId;
  }

  async diskUsage(): Promise<ImageUsage> {
    const views = await this.list();
    const sizes = new Map<string, number>();
    for (const diffId of await this.#store.layers.list())
      sizes.set(diffId, (await this.#store.layers.get(diffId))?.dataLength ?? 0);
    const users = Map.groupBy(
      views.flatMap(({ id, diffIds }) => [...new Set(diffIds)].map((diffId) => ({ id, diffId }))),
      ({ diffId }) => diffId,
    );
    const images = [];
    for (const { id, diffIds } of views) {
      const of = (isShared: boolean) =>
        [...new Set(diffIds)]
          .filter((diffId) => (users.get(diffId)?.length ?? 0) > 1 === isShared)
          .reduce((sum, diffId) => sum + (sizes.get(diffId) ?? 0), 0);
      const entry = (await this.#store.list()).find(({ imageId }) => imageId === id);
      const { containers } = entry ? await this.#store.users(entry.imageId) : { containers: [] };
      images.push({ id, shared: of(true), unique: of(false), containers: containers.length });
    }
    return { layers: [...sizes.values()].reduce((sum, size) => sum + size, 0), images };
  }

  #transfer({ credentials, insecure, onProgress, signal }: TransferRequest) {
    return {
      store: this.#store,
      dataRoot: this.#dataRoot,
      credentials,
      insecure: insecure ?? [],
      onRetry: (reason: string) => onProgress({ status: `${reason}, trying again` }),
      signal,
    };
  }

  /** Another process may take the image away between its listing and its opening. */
  async #openIfListed(image: NamedImage): Promise<StoredImage | undefined> {
    try {
      return await this.#store.open(image);
    } catch (error) {
      const listed = await this.#store.list();
      if (listed.some(({ imageId }) => imageId === image.imageId)) throw error;
      return undefined;
    }
  }

  async #entries({ imageId }: HeldImage) {
    return (await this.#store.list()).filter((entry) => entry.imageId === imageId);
  }

  /** The name that was written; a repository alone stands for its `latest`, an ID for no name. */
  async #namesFor(text: string, { imageId }: HeldImage) {
    const isId = imageId.replace("sha256:", "").startsWith(text.replace("sha256:", ""));
    if (isId) return [];
    const reference = parseNamed(text);
    return reference.digest === undefined ? [reference] : [];
  }
}
