/** Brings an image from its source into the store: what is missing is read, layers in parallel. */
import { DvmError } from "../errors.ts";
import { parseConfig } from "./config.ts";
import { type Digest, digestOf } from "./digest.ts";
import { imageError, storeFailure } from "./errors.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { type BorrowedPool, borrowLayerPool } from "./layer/layer-pool.ts";
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from "./layer/limits.ts";
import type { StoredLayer } from "./layer-store.ts";
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from "./media-type.ts";
import { assertRunnable, hostPlatform, type Platform } from "./platform.ts";
import type { NamedReference } from "./reference.ts";
import type { ImageSource, LayerBlob, ResolvedImage } from "./source/image-source.ts";
import type { Session } from "./store-folder.ts";

/** What happens while an image is loaded. */
export type LoadEvent =
  | {
      readonly kind: "image";
      readonly imageId: Digest;
      /** number of layers */
      readonly layers: number;
    }
  | { readonly kind: "layer-present"; readonly diffId: Digest }
  | {
      readonly kind: "layer-progress";
      readonly diffId: Digest;
      /** bytes of the blob read so far */
      readonly done: number;
      /** length of the blob, in `bytes` */
      readonly total: number;
    }
  | {
      readonly kind: "layer-done";
      readonly diffId: Digest;
      /** length of the unpacked layer, in `bytes` */
      readonly unpacked: number;
    };

export interface LoadOptions {
  readonly store: ImageStore;
  /** platform wanted; this machine's unless given */
  readonly platform?: Platform;
  /** name to list the image by, or `none` to list it without; absent: it is not listed, and goes with the next prune */
  readonly tag?: NamedReference | "none";
  /** layers of the store that are the user's without their being in an image of theirs */
  readonly known?: readonly Digest[];
  readonly limits?: LayerLimits;
  readonly onEvent?: (event: LoadEvent) => void;
  /** makes more of the layers, once all are there, while the image is listed */
  readonly prepare?: (layers: readonly StoredLayer[]) => Promise<unknown>;
  readonly signal?: AbortSignal;
}

/** An image in the store that no prune takes away before it is disposed of; lease it for longer. */
export interface LoadedImage extends StoredImage, AsyncDisposable {}

/**
 * Loads an image.
 * @throws PLATFORM_UNAVAILABLE, LOAD_CANCELLED, and what the source and readLayer throw
 */
export async function loadImage(source: ImageSource, options: LoadOptions): Promise<LoadedImage> {
  const platform = options.platform ?? hostPlatform();
  assertRunnable(platform, "the platform asked for");
  const resolved = await source.resolve(platform, options.signal);
  const where = `${source.name}: config`;
  const config = parseConfig(resolved.config.bytes, where, resolved.layers.length);
  assertRunnable(config.platform, source.name);
  const imageId = resolved.config.digest;
  options.onEvent?.({ kind: "image", imageId, layers: config.diffIds.length });
  const session = await options.store.beginSession(config.diffIds);
  try {
    const layers = await loadLayers(config.diffIds, resolved, { source, session, ...options });
    const manifest = resolved.manifest?.bytes ?? plainManifest(resolved.config, layers);
    const manifestDigest = digestOf(manifest);
    const { store } = options;
    const { name } = source;
    const { repositoryDigest } = resolved;
    const known = repositoryDigest === undefined ? {} : { repositoryDigest };
    const image = { name, manifestDigest, ...known, imageId, config, layers };
    const list = async (): Promise<void> => {
      await store.leaseForSession(session, [...config.diffIds, imageId, manifestDigest]);
      await store.blobs.put(resolved.config.bytes);
      await store.blobs.put(manifest);
      if (options.tag !== undefined)
        await store.tag(image, options.tag === "none" ? undefined : options.tag);
    };
    await allEnded([list(), options.prepare?.(layers)]);
    return { ...image, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw storeFailure(error);
  }
}

/** Waits for all, whatever becomes of one. @throws what the first of them failed with */
async function allEnded(work: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

interface LoadContext extends LoadOptions {
  readonly source: ImageSource;
  readonly session: Session;
}

async function loadLayers(
  diffIds: readonly Digest[],
  resolved: ResolvedImage,
  context: LoadContext,
): Promise<readonly StoredLayer[]> {
  const blobs = new Map<Digest, LayerBlob>();
  for (const [n, diffId] of diffIds.entries()) {
    const blob = resolved.layers[n];
    if (blob !== undefined) blobs.set(diffId, blob);
  }
  // The first failure stops the others; all have ended before it is reported.
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(context.signal ? [context.signal] : [])]);
  await using pool = borrowLayerPool();
  // The longest first: begun last it would be waited for by idle threads. What is there is known before, since whoever
  // is told of theirs sooner would be the first to read.
  const queue = [...blobs].toSorted(([, a], [, b]) => b.size - a.size);
  const present = await Promise.all(queue.map(([diffId]) => presentLayer(diffId, context)));
  const work = queue.map(async ([diffId, blob], n) => {
    try {
      return present[n] ?? (await loadLayer(diffId, blob, { ...context, signal, pool }));
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const settled = await Promise.allSettled(work);
  if (stop.signal.aborted) throw stop.signal.reason;
  const byDiffId = new Map<Digest, StoredLayer>();
  for (const result of settled)
    if (result.status === "fulfilled") byDiffId.set(result.value.diffId, result.value);
  return diffIds.flatMap((diffId) => byDiffId.get(diffId) ?? []);
}

/** A layer of the store that is the user's too. */
async function presentLayer(
  diffId: Digest,
  { store, known, onEvent }: LoadContext,
): Promise<StoredLayer | undefined> {
  const present = await store.layers.get(diffId);
  const isTheirs = known?.includes(diffId) || (await store.mayShare(diffId));
  if (present === undefined || !isTheirs) return undefined;
  onEvent?.({ kind: "layer-present", diffId });
  return present;
}

async function loadLayer(
  diffId: Digest,
  blob: LayerBlob,
  context: LoadContext & { readonly pool: BorrowedPool; readonly signal: AbortSignal },
): Promise<StoredLayer> {
  const { store, session, source, signal, pool, onEvent } = context;
  const layer = await store.layers.add(diffId, session, async (folder) => {
    if (signal.aborted) throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
    let done = 0;
    const reading = pool.run({
      input: await source.openLayer(blob, signal),
      expected: { diffId, digest: blob.digest, size: blob.size },
      folder,
      limits: context.limits ?? DEFAULT_LAYER_LIMITS,
      signal,
      onProgress: (bytes) => {
        done += bytes;
        onEvent?.({ kind: "layer-progress", diffId, done, total: blob.size });
      },
    });
    return reading.catch((error: unknown) => {
      throw namingLayer(error, blob.digest ?? diffId);
    });
  });
  onEvent?.({ kind: "layer-done", diffId, unpacked: layer.unpacked });
  return layer;
}

/** What is wrong with a layer says with which, as its manifest calls it. */
function namingLayer(error: unknown, digest: Digest): unknown {
  if (!(error instanceof DvmError) || error.message.includes(digest)) return error;
  const { code } = error;
  if (code !== "LAYER_CORRUPT" && code !== "LAYER_ENTRY_REFUSED" && code !== "LAYER_LIMIT_EXCEEDED")
    return error;
  return imageError(code, `layer ${digest}: ${error.message}`, { cause: error });
}

/** A manifest for an image that came without: its layers are their tar streams. */
function plainManifest(config: ResolvedImage["config"], layers: readonly StoredLayer[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: {
        mediaType: OCI_CONFIG,
        digest: digestOf(config.bytes),
        size: config.bytes.length,
      },
      layers: layers.map(({ diffId, unpacked }) => ({
        mediaType: OCI_LAYER,
        digest: diffId,
        size: unpacked,
      })),
    }),
  );
}
