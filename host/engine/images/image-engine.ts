/** What can be done with images: the engine's other half, beside containers. */

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type CommitLayerOptions, commitLayer } from "../../image/archive/commit-layer.ts";
import { importTar } from "../../image/archive/import-tar.ts";
import { loadArchive } from "../../image/archive/load-archive.ts";
import { type SavedImage, saveImages } from "../../image/archive/save-images.ts";
import { parseDigest } from "../../image/digest.ts";
import { imageError, storeFailure } from "../../image/errors.ts";
import type { NamedImage } from "../../image/image-index.ts";
import { type HeldImage, ImageStore, type StoredImage } from "../../image/image-store.ts";
import { hostPlatform, parsePlatform } from "../../image/platform.ts";
import { formatReference, parseNamed } from "../../image/reference.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import { login } from "../../image/registry/login.ts";
import {
  type RegistrySettings,
  readRegistrySettings,
} from "../../image/registry/registry-settings.ts";
import { type ImageView, imageView } from "./image-view.ts";
import { requireLocal } from "./local-image.ts";
import { makePulledDisk } from "./pulled-disk.ts";
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

export interface PullRequest extends TransferRequest {
  /** told of each image that has come */
  readonly onPulled?: (image: PulledImage) => void;
}

export interface PushRequest extends TransferRequest {
  /** told of each image that is there */
  readonly onPushed?: (image: PushedImage) => void;
}

/** An image in its registry. */
export interface PushedImage {
  /** full name */
  readonly name: string;
  readonly tag: string;
  /** of its manifest */
  readonly digest: string;
  /** of its manifest, in `bytes` */
  readonly size: number;
}

/** What was loaded of an archive. */
export interface LoadedName {
  readonly id: string;
  /** full name; absent: it has none */
  readonly name?: string;
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
  readonly #others = new Map<number, ImageEngine>();

  private constructor(store: ImageStore, dataRoot: string) {
    this.#store = store;
    this.#dataRoot = dataRoot;
  }

  static async open(dataRoot: string): Promise<ImageEngine> {
    return new ImageEngine(await ImageStore.open(join(dataRoot, "images")), dataRoot);
  }

  /** The images as another user has them: names are theirs alone, what is kept is shared. */
  for(uid: number): ImageEngine {
    if (uid === process.getuid?.()) return this;
    const known = this.#others.get(uid);
    if (known !== undefined) return known;
    const other = new ImageEngine(this.#store.for(uid), this.#dataRoot);
    this.#others.set(uid, other);
    return other;
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

  /** The same of those that are listed, without bringing one of the project's. @throws as find does */
  async findListed(reference: string): Promise<ImageView> {
    const found = await this.#store.find(reference);
    const image = found === undefined ? undefined : await this.#store.open(found);
    if (image === undefined) throw imageError("IMAGE_NOT_FOUND", `No such image: ${reference}`);
    return imageView(image, await this.#entries(image));
  }

  /** @throws IMAGE_NOT_FOUND, PLATFORM_UNAVAILABLE, DIGEST_MISMATCH, LAYER_*, REGISTRY_*, LOAD_CANCELLED */
  async pull(text: string, request: PullRequest): Promise<PulledImage> {
    const reference = parseNamed(text);
    const name = formatReference(reference);
    const before = await this.#store.find(name);
    await using image = await pullImage(reference, {
      ...this.#transfer(request),
      platform: request.platform,
      onEvent: (event) => pullProgress(event).forEach(request.onProgress),
      // Made now, so that no container waits for it.
      prepare: (layers) => makePulledDisk(layers, this.#dataRoot),
    });
    const pulled = {
      name,
      id: image.imageId,
      digest: image.repositoryDigest ?? image.manifestDigest,
      isNew: before?.imageId !== image.imageId,
    };
    request.onPulled?.(pulled);
    return pulled;
  }

  /** Pulls every tag of a repository, one after another. @throws as pull does */
  async pullAll(repository: string, request: PullRequest): Promise<readonly PulledImage[]> {
    const tags = await repositoryTags(parseNamed(repository), this.#transfer(request));
    const pulled: PulledImage[] = [];
    for (const tag of tags) pulled.push(await this.pull(tag, request));
    return pulled;
  }

  /** Pushes every tag that a repository has here. @throws as push does */
  async pushAll(repository: string, request: PushRequest): Promise<readonly PushedImage[]> {
    const { domain, path } = parseNamed(repository);
    const named = (await this.#store.list()).filter(({ name }) => name !== "");
    const own = named
      .map(({ name }) => parseNamed(name))
      .filter((each) => each.domain === domain && each.path === path);
    const pushed: PushedImage[] = [];
    for (const reference of own)
      if (reference.tag !== undefined)
        pushed.push(await this.push(formatReference(reference), request));
    if (pushed.length === 0)
      throw imageError(
        "IMAGE_NOT_FOUND",
        `An image does not exist locally with the tag: ${repository}`,
      );
    return pushed;
  }

  /** @throws IMAGE_NOT_FOUND, REGISTRY_*, LOAD_CANCELLED */
  async push(text: string, request: PushRequest): Promise<PushedImage> {
    const reference = parseNamed(text);
    const { onProgress } = request;
    const { digest, size } = await pushNamed(text, { ...this.#transfer(request), onProgress });
    const { tag = "latest" } = reference;
    const pushed = { name: formatReference(reference), tag, digest, size };
    request.onPushed?.(pushed);
    return pushed;
  }

  /** How registries are reached. @throws MANIFEST_INVALID for settings that cannot be read */
  registrySettings(): Promise<RegistrySettings> {
    return readRegistrySettings(this.#dataRoot);
  }

  /** Shows credentials to a registry; they are kept by whoever asks. @throws REGISTRY_UNAUTHORIZED, REGISTRY_* */
  async login(
    host: string,
    credentials: Credentials,
    insecure: readonly string[] = [],
  ): Promise<void> {
    const options = { dataRoot: this.#dataRoot, credentials, insecure };
    await using session = await openRegistrySession(options);
    await login(host, session);
  }

  /** Gives an image another name. @returns its ID and the full name @throws IMAGE_NOT_FOUND, REFERENCE_INVALID */
  async tag(
    reference: string,
    name: string,
  ): Promise<{ readonly id: string; readonly name: string }> {
    const target = parseNamed(name);
    if (target.digest !== undefined)
      throw imageError(
        "REFERENCE_INVALID",
        `refusing to create a tag with a digest reference: ${name}`,
      );
    await using image = await requireLocal(reference, { store: this.#store });
    const { repositoryDigest: _, ...rest } = image;
    await this.#store.tag(rest, target);
    return { id: image.imageId, name: formatReference(target) };
  }

  /**
   * @param options which containers count; absent: all
   * @throws IMAGE_NOT_FOUND, IMAGE_IN_USE
   */
  remove(
    reference: string,
    options: { readonly force: boolean; readonly counts?: (container: string) => boolean },
  ): Promise<RemovedImages> {
    return removeImage(reference, { ...options, store: this.#store, dataRoot: this.#dataRoot });
  }

  /** Removes images without a name, or with `all` every image that no container uses. */
  prune(options: {
    readonly all: boolean;
    readonly accepts?: (imageId: string) => boolean;
    readonly counts?: (container: string) => boolean;
  }): Promise<RemovedImages> {
    return pruneImages({ ...options, force: false, store: this.#store, dataRoot: this.#dataRoot });
  }

  /** Writes images as an archive. @returns their IDs @throws IMAGE_NOT_FOUND, STORE_CORRUPT */
  async save(
    references: readonly string[],
    output: Writable,
    signal?: AbortSignal,
  ): Promise<readonly string[]> {
    await using held = new AsyncDisposableStack();
    const images = new Map<string, SavedImage>();
    for (const reference of references) {
      const image = held.use(await requireLocal(reference, { store: this.#store }));
      const known = images.get(image.imageId);
      const names = [...(known?.names ?? []), ...(await this.#namesFor(reference, image))];
      images.set(image.imageId, { image: known?.image ?? image, names });
    }
    await saveImages([...images.values()], this.#store, output, signal);
    return [...images.keys()];
  }

  /** Loads all images of a file, a folder or a stream. @returns what was loaded: names, or IDs of those without one */
  async load(
    input: string | Readable,
    request: Pick<TransferRequest, "platform" | "onProgress" | "signal">,
  ): Promise<readonly LoadedName[]> {
    const loaded: LoadedName[] = [];
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

  /** Writes a stream to a file that goes with the scope. @throws LOAD_CANCELLED, STORE_FULL */
  async spool(
    input: Readable,
    signal?: AbortSignal,
  ): Promise<AsyncDisposable & { readonly path: string }> {
    const session = await this.#store.beginSession([]);
    const path = join(session.path, "input");
    try {
      await pipeline(input, createWriteStream(path, { flags: "wx", mode: 0o600 }), {
        ...(signal === undefined ? {} : { signal }),
      });
      return { path, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
    } catch (error) {
      await session[Symbol.asyncDispose]();
      if (signal?.aborted) throw imageError("LOAD_CANCELLED", "cancelled", { cause: error });
      throw storeFailure(error);
    }
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
    const all = await this.#store.layers.list();
    const theirs = new Set(views.flatMap(({ diffIds }) => diffIds));
    for (const diffId of this.#store.isForeign ? all.filter((each) => theirs.has(each)) : all)
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

  async #entries({ imageId }: StoredImage) {
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
