/**
 * Pushes an image. A blob that the registry has under the image's own manifest is used as it is; if that goes for
 * all of them, the manifest too, and its digest stays. The other layers are made again from the store: the same
 * layer always gives the same blob.
 */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Digest, digestOf, hexOf } from "../digest.ts";
import { imageError } from "../errors.ts";
import type { ImageStore, StoredImage } from "../image-store.ts";
import type { StoredLayer } from "../layer-store.ts";
import { type Descriptor, parseManifest } from "../manifest.ts";
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from "../media-type.ts";
import type { NamedReference } from "../reference.ts";
import type { Session } from "../store-folder.ts";
import { type UploadBlob, uploadBlob } from "./blob-upload.ts";
import { HashedStream } from "./hashed-stream.ts";
import type { RegistryClient } from "./registry-client.ts";
import type { RegistrySession } from "./registry-session.ts";

/** What happens to a layer. */
export interface PushEvent {
  readonly diffId: Digest;
  readonly kind: "preparing" | "exists" | "mounted" | "progress" | "pushed";
  /** bytes sent, with `progress` */
  readonly done?: number;
  /** length of the blob, in `bytes` */
  readonly total?: number;
}

export interface PushOptions {
  readonly store: ImageStore;
  readonly session: RegistrySession;
  readonly reference: NamedReference;
  readonly onEvent: (event: PushEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface PushResult {
  /** digest of the manifest in the registry */
  readonly digest: Digest;
  /** length of the manifest, in `bytes` */
  readonly size: number;
}

/** Layers that are compressed and sent at once. */
const PARALLEL = 3;

/** @throws REGISTRY_*, STORE_CORRUPT, LOAD_CANCELLED */
export async function pushImage(image: StoredImage, options: PushOptions): Promise<PushResult> {
  const { store, session, reference } = options;
  const client = await session.pushClient(reference);
  const manifestBytes = await store.blobs.get(image.manifestDigest);
  const manifest = parseManifest(manifestBytes, `manifest ${image.manifestDigest}`);
  const originals = manifest.kind === "manifest" ? manifest.layers : [];
  const lenders = await lendersOf(image, reference, store);
  await using work = await store.beginSession([
    image.imageId,
    image.manifestDigest,
    ...image.config.diffIds,
  ]);
  const context = { ...options, client, work, lenders };
  const layers = await pushLayers(image.layers, originals, context);
  const config = await store.blobs.get(image.imageId);
  const upload = { client, http: session.http, onProgress: () => {}, signal: options.signal };
  if (!(await client.hasBlob(image.imageId, options.signal)))
    await uploadBlob(
      { digest: image.imageId, size: config.length, content: { bytes: config } },
      upload,
    );
  const isOriginal =
    layers.every((layer, n) => layer === originals[n]) && layers.length === originals.length;
  const pushed = isOriginal ? manifestBytes : newManifest(image.imageId, config.length, layers);
  await putManifest(
    pushed,
    manifest.kind === "manifest" && isOriginal ? manifest.mediaType : OCI_MANIFEST,
    context,
  );
  return { digest: digestOf(pushed), size: pushed.length };
}

interface PushContext extends PushOptions {
  readonly client: RegistryClient;
  readonly work: Session;
  /** repositories of the registry that may have the image's blobs */
  readonly lenders: readonly string[];
}

/** Repositories of the same registry from which an image with these layers came, or to which it was pushed. */
async function lendersOf(
  image: StoredImage,
  reference: NamedReference,
  store: ImageStore,
): Promise<readonly string[]> {
  const layers = new Set(image.config.diffIds);
  const prefix = `${reference.domain}/`;
  const repositories = (await store.list())
    .filter(
      ({ repositoryDigest, name }) => repositoryDigest !== undefined && name.startsWith(prefix),
    )
    .filter(({ diffIds }) => diffIds.some((diffId) => layers.has(diffId)))
    .map(({ name }) => name.slice(prefix.length).replace(/[:@].*$/, ""));
  return [...new Set(repositories)].filter((path) => path !== reference.path).slice(0, 3);
}

async function pushLayers(
  layers: readonly StoredLayer[],
  originals: readonly Descriptor[],
  context: PushContext,
): Promise<readonly Descriptor[]> {
  const done = new Map<Digest, Descriptor>();
  const queue = [...layers.entries()].filter(
    ([n, { diffId }]) => layers.findIndex((l) => l.diffId === diffId) === n,
  );
  const lanes = Array.from({ length: PARALLEL }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [n, layer] = next;
      done.set(layer.diffId, await pushLayer(layer, originals[n], context));
    }
  });
  const settled = await Promise.allSettled(lanes);
  for (const lane of settled) if (lane.status === "rejected") throw lane.reason;
  return layers.map(({ diffId }) => {
    const descriptor = done.get(diffId);
    if (descriptor === undefined)
      throw imageError("STORE_CORRUPT", `layer ${diffId} was not pushed`);
    return descriptor;
  });
}

async function pushLayer(
  layer: StoredLayer,
  original: Descriptor | undefined,
  context: PushContext,
): Promise<Descriptor> {
  const { client, onEvent, signal, work } = context;
  const { diffId } = layer;
  // A plain tar stream is what the store has without the registry too: compressed it is sooner sent.
  if (
    original !== undefined &&
    original.digest !== diffId &&
    (await isThere(original, layer, context))
  )
    return original;
  onEvent({ kind: "preparing", diffId });
  const path = join(work.path, `push-${hexOf(diffId)}`);
  const { digest, size } = await compress(layer, path, signal);
  const descriptor = { mediaType: `${OCI_LAYER}+gzip`, digest, size, annotations: {} };
  try {
    if (await isThere(descriptor, layer, context)) return descriptor;
    const blob: UploadBlob = { digest, size, content: { path } };
    await uploadBlob(blob, {
      client,
      http: context.session.http,
      onProgress: (done) => onEvent({ kind: "progress", diffId, done, total: size }),
      signal,
    });
    onEvent({ kind: "pushed", diffId, total: size });
    return descriptor;
  } finally {
    await rm(path, { force: true });
  }
}

/** Whether the repository has a blob, or another one lends it. */
async function isThere(
  { digest, size }: Descriptor,
  { diffId }: StoredLayer,
  { client, session, lenders, onEvent, signal }: PushContext,
): Promise<boolean> {
  if (await client.hasBlob(digest, signal)) {
    onEvent({ kind: "exists", diffId, total: size });
    return true;
  }
  for (const mountFrom of lenders) {
    if (!(await tryMount(digest, { client, session, mountFrom, signal }))) continue;
    onEvent({ kind: "mounted", diffId, total: size });
    return true;
  }
  return false;
}

/** Asks for a mount. A registry that does not grant it begins an upload, which is left to expire. */
async function tryMount(
  digest: Digest,
  options: {
    readonly client: RegistryClient;
    readonly session: RegistrySession;
    readonly mountFrom: string;
    readonly signal: AbortSignal | undefined;
  },
): Promise<boolean> {
  const { client, mountFrom, signal } = options;
  const response = await client.send({
    method: "POST",
    path: `blobs/uploads/?${new URLSearchParams({ mount: digest, from: mountFrom })}`,
    headers: { "content-length": "0" },
    moreScope: `repository:${mountFrom}:pull`,
    signal,
  });
  await response.discard();
  return response.status === 201;
}

async function compress(
  layer: StoredLayer,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const hashed = new HashedStream();
  // No time, no name, one level: zlib gives the same bytes for the same stream.
  await pipeline(
    Readable.from(layer.tar(), { highWaterMark: 1 }),
    createGzip({ level: 6, chunkSize: 256 * 1024 }),
    hashed,
    createWriteStream(path, { flags: "wx", mode: 0o600 }),
    signal === undefined ? {} : { signal },
  );
  return { digest: hashed.digest(), size: hashed.length };
}

function newManifest(imageId: Digest, configSize: number, layers: readonly Descriptor[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: imageId, size: configSize },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    }),
  );
}

async function putManifest(
  bytes: Buffer,
  mediaType: string,
  { client, reference, signal }: PushContext,
): Promise<void> {
  const response = await client.send({
    method: "PUT",
    path: `manifests/${reference.tag ?? "latest"}`,
    headers: { "content-type": mediaType },
    body: () => bytes,
    signal,
  });
  if (![200, 201, 202].includes(response.status)) throw await client.refusal(response, "manifest");
  await response.discard();
}
