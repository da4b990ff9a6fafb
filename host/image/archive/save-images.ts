/**
 * Writes images as one archive that is both an OCI layout and what `docker save` writes (image-layout.md of OCI
 * image-spec v1.1; Docker Image Specification v1.2): `index.json` and `manifest.json` over the same blobs. Layers are
 * plain tar streams, made again from the store. Equal images give equal bytes.
 */
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";
import { type Digest, digestOf, hexOf } from "../digest.ts";
import type { ImageStore, StoredImage } from "../image-store.ts";
import type { StoredLayer } from "../layer-store.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from "../media-type.ts";
import { familiarReference, type NamedReference } from "../reference.ts";

/** An image to save. */
export interface SavedImage {
  readonly image: StoredImage;
  /** names it gets in the archive; none for an image that was named by its ID */
  readonly names: readonly NamedReference[];
}

/** @throws STORE_CORRUPT, and what the output throws */
export async function saveImages(
  images: readonly SavedImage[],
  store: ImageStore,
  output: Writable,
  signal?: AbortSignal,
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, output, signal === undefined ? {} : { signal });
  const filled = fill(archive, images, store);
  // Whichever fails first ends the other.
  filled.catch((error: unknown) =>
    archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  await Promise.all([written, filled]);
}

async function fill(
  archive: Pack,
  images: readonly SavedImage[],
  store: ImageStore,
): Promise<void> {
  const done = new Set<Digest>();
  await folder(archive, "blobs");
  await folder(archive, "blobs/sha256");
  const saved = [];
  for (const { image, names } of images) {
    for (const layer of image.layers) if (first(done, layer.diffId)) await addLayer(archive, layer);
    const config = await store.blobs.get(image.imageId);
    if (first(done, image.imageId)) await file(archive, blobPath(image.imageId), config);
    const manifest = plainManifest(image, config.length);
    const digest = digestOf(manifest);
    if (first(done, digest)) await file(archive, blobPath(digest), manifest);
    saved.push({ image, names, manifest: { digest, size: manifest.length } });
  }
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  await file(
    archive,
    "index.json",
    json({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: saved.flatMap(({ names, manifest }) =>
        (names.length === 0 ? [undefined] : names).map((name) => descriptor(manifest, name)),
      ),
    }),
  );
  await file(
    archive,
    "manifest.json",
    json(
      saved.map(({ image, names }) => ({
        Config: blobPath(image.imageId),
        RepoTags: names.length === 0 ? null : names.map(familiarReference),
        Layers: image.config.diffIds.map(blobPath),
      })),
    ),
  );
  await file(archive, "oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  archive.finalize();
}

function first(done: Set<Digest>, digest: Digest): boolean {
  if (done.has(digest)) return false;
  done.add(digest);
  return true;
}

function descriptor(
  manifest: { digest: Digest; size: number },
  name: NamedReference | undefined,
): object {
  if (name === undefined) return { mediaType: OCI_MANIFEST, ...manifest };
  return {
    mediaType: OCI_MANIFEST,
    ...manifest,
    annotations: {
      "io.containerd.image.name": `${name.domain}/${name.path}:${name.tag ?? "latest"}`,
      "org.opencontainers.image.ref.name": name.tag ?? "latest",
    },
  };
}

function plainManifest({ imageId, layers }: StoredImage, configSize: number): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: imageId, size: configSize },
      layers: layers.map(({ diffId, unpacked }) => ({
        mediaType: OCI_LAYER,
        digest: diffId,
        size: unpacked,
      })),
    }),
  );
}

async function addLayer(archive: Pack, layer: StoredLayer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const entry = archive.entry(header(blobPath(layer.diffId), layer.unpacked), (error) =>
    error ? reject(error) : resolve(),
  );
  await Promise.all([pipeline(Readable.from(layer.tar(), { highWaterMark: 1 }), entry), promise]);
}

function file(archive: Pack, name: string, content: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  archive.entry(header(name, content.length), content, (error) =>
    error ? reject(error) : resolve(),
  );
  return promise;
}

function folder(archive: Pack, name: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  archive.entry({ ...header(`${name}/`, 0), type: "directory", mode: 0o755 }, (error) =>
    error ? reject(error) : resolve(),
  );
  return promise;
}

function header(name: string, size: number) {
  return { name, size, mode: 0o644, mtime: new Date(0), type: "file" as const };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
