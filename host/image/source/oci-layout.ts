/** Images in an OCI layout, a folder or an archive of it (OCI image-spec v1.1, image-layout.md). */
import { digestOf, excerpt, hexOf, isDigest } from "../digest.ts";
import { imageError } from "../errors.ts";
import { invalid, MAX_JSON_BYTES, parseJsonObject } from "../json.ts";
import type { BlobInput } from "../layer/blob-input.ts";
import { type Descriptor, type ImageManifest, parseIndex, parseManifest } from "../manifest.ts";
import { mediaKind } from "../media-type.ts";
import { formatPlatform, type Platform, selectPlatform } from "../platform.ts";
import { type FileTree, readSmallFile } from "./file-tree.ts";
import type { ImageSource, LayerBlob, ResolvedImage } from "./image-source.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
/** Where containerd and Docker keep the full name of an image. */
const CONTAINERD_NAME = "io.containerd.image.name";
/** Deepest nesting of indexes followed. */
const MAX_INDEX_DEPTH = 4;

/**
 * Opens a layout as a source; the source owns the tree from here on.
 * @param image tag, full name or manifest digest of the image wanted; `undefined` for the only one
 */
export function openOciLayout(tree: FileTree, image: string | undefined): ImageSource {
  return {
    name: image === undefined ? tree.name : `${tree.name}:${image}`,
    resolve: (platform) => resolveLayout(tree, image, platform),
    openLayer: (layer) => openLayer(tree, layer),
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  };
}

/** Lists the images of a layout; the platforms of one image count as one. @throws SOURCE_UNREADABLE, MANIFEST_INVALID */
export async function listOciLayout(
  tree: FileTree,
): Promise<readonly { readonly key: string; readonly names: readonly string[] }[]> {
  await checkLayoutVersion(tree);
  const where = `${tree.name}: index.json`;
  const index = parseIndex(await readSmallFile(tree, "index.json", MAX_JSON_BYTES), where);
  const images = new Map<string, { key: string; names: Set<string> }>();
  for (const descriptor of index.manifests) {
    const { annotations, digest, mediaType } = descriptor;
    if (!["index", "manifest"].includes(mediaKind(mediaType))) continue;
    const name = annotations[CONTAINERD_NAME] ?? annotations[REF_NAME];
    // Several names of one image share its manifest; several manifests of one name are its platforms.
    const item = images.get(name ?? digest) ?? { key: name ?? `@${digest}`, names: new Set() };
    if (name !== undefined) item.names.add(name);
    images.set(name ?? digest, item);
  }
  if (images.size === 0) throw imageError("IMAGE_NOT_FOUND", `${tree.name} holds no image`);
  return [...images.values()].map(({ key, names }) => ({ key, names: [...names] }));
}

async function resolveLayout(
  tree: FileTree,
  image: string | undefined,
  platform: Platform,
): Promise<ResolvedImage> {
  await checkLayoutVersion(tree);
  const where = `${tree.name}: index.json`;
  const index = parseIndex(await readSmallFile(tree, "index.json", MAX_JSON_BYTES), where);
  const chosen = chooseImage(index.manifests, image, tree.name);
  const { descriptor, bytes, manifest } = await followIndexes(tree, chosen, platform);
  const config = await readBlob(tree, manifest.config);
  return {
    manifest: { digest: descriptor.digest, bytes, mediaType: manifest.mediaType },
    config: { digest: manifest.config.digest, bytes: config },
    layers: manifest.layers.map(({ digest, size }) => ({ key: blobPath(digest), digest, size })),
  };
}

async function checkLayoutVersion(tree: FileTree): Promise<void> {
  if ((await tree.locate("oci-layout")) === undefined)
    throw imageError("SOURCE_UNREADABLE", `not an OCI layout: ${tree.name} has no oci-layout file`);
  const where = `${tree.name}: oci-layout`;
  const marker = parseJsonObject(await readSmallFile(tree, "oci-layout", 4096), where);
  const version = marker.imageLayoutVersion;
  if (typeof version !== "string" || !version.startsWith("1."))
    throw invalid(where, `imageLayoutVersion is not 1: ${excerpt(String(version))}`);
}

/** Manifests that make up the image asked for: one, or one for each platform. */
function chooseImage(
  manifests: readonly Descriptor[],
  image: string | undefined,
  name: string,
): readonly Descriptor[] {
  const images = manifests.filter(({ mediaType }) =>
    ["index", "manifest"].includes(mediaKind(mediaType)),
  );
  if (images.length === 0) throw imageError("IMAGE_NOT_FOUND", `${name} holds no image`);
  const names = [...new Set(images.map(label))];
  if (image === undefined) {
    if (names.length > 1)
      throw imageError("IMAGE_AMBIGUOUS", `${name} holds ${names.length} images: ${list(names)}`);
    return images;
  }
  const found = images.filter((descriptor) => matches(descriptor, image));
  if (found.length === 0)
    throw imageError("IMAGE_NOT_FOUND", `${name} holds no image ${excerpt(image)}`, {
      hint: `it holds: ${list(names)}`,
    });
  return found;
}

function matches({ digest, annotations }: Descriptor, image: string): boolean {
  const wanted = image.startsWith("@") ? image.slice(1) : image;
  if (isDigest(wanted)) return digest === wanted;
  return annotations[REF_NAME] === image || annotations[CONTAINERD_NAME] === image;
}

function label({ annotations, digest, platform }: Descriptor): string {
  // Manifests without a name are one image when they differ by platform alone.
  return (
    annotations[CONTAINERD_NAME] ??
    annotations[REF_NAME] ??
    (platform === undefined ? digest : "(unnamed)")
  );
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).map(excerpt).join(", ");
  return names.length > 8 ? `${shown}, …` : shown;
}

async function followIndexes(
  tree: FileTree,
  candidates: readonly Descriptor[],
  platform: Platform,
): Promise<{ descriptor: Descriptor; bytes: Buffer; manifest: ImageManifest }> {
  let descriptor = pickForPlatform(candidates, platform, tree.name);
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    const bytes = await readBlob(tree, descriptor);
    const where = `manifest ${descriptor.digest}`;
    const parsed = parseManifest(bytes, where, descriptor.mediaType);
    if (parsed.kind === "manifest") return { descriptor, bytes, manifest: parsed };
    descriptor = pickForPlatform(parsed.manifests, platform, tree.name);
  }
  throw invalid(tree.name, `indexes nested deeper than ${MAX_INDEX_DEPTH}`);
}

/**
 * Picks the manifest of an index that is for a platform. A manifest whose platform is not stated counts when it
 * stands alone: its config says what it is for.
 * @throws PLATFORM_UNAVAILABLE
 */
export function pickForPlatform(
  candidates: readonly Descriptor[],
  platform: Platform,
  name: string,
): Descriptor {
  const images = candidates.filter(
    (item) =>
      ["index", "manifest"].includes(mediaKind(item.mediaType)) && item.platform?.os !== "unknown",
  );
  const [only] = images;
  if (only !== undefined && images.length === 1 && only.platform === undefined) return only;
  const picked =
    selectPlatform(images, platform, (item) => item.platform) ??
    images.find((item) => item.platform === undefined);
  if (picked !== undefined) return picked;
  const offered = images.flatMap((item) => (item.platform ? [formatPlatform(item.platform)] : []));
  throw imageError(
    "PLATFORM_UNAVAILABLE",
    `${name} has no image for ${formatPlatform(platform)}`,
    offered.length === 0 ? {} : { hint: `it has: ${list([...new Set(offered)])}` },
  );
}

/** Reads a manifest or config and checks it against its descriptor. */
async function readBlob(tree: FileTree, descriptor: Descriptor): Promise<Buffer> {
  if (descriptor.size > MAX_JSON_BYTES)
    throw invalid(
      `blob ${descriptor.digest}`,
      `${descriptor.size} bytes long, the limit is ${MAX_JSON_BYTES}`,
    );
  const bytes = await readSmallFile(tree, blobPath(descriptor.digest), MAX_JSON_BYTES);
  const actual = digestOf(bytes);
  if (actual !== descriptor.digest || bytes.length !== descriptor.size)
    throw imageError(
      "DIGEST_MISMATCH",
      `blob ${descriptor.digest} of ${descriptor.size} bytes has the digest ${actual} and ${bytes.length} bytes`,
    );
  return bytes;
}

async function openLayer(tree: FileTree, layer: LayerBlob): Promise<BlobInput> {
  const range = await tree.locate(layer.key);
  if (range === undefined)
    throw imageError("SOURCE_UNREADABLE", `${tree.name} lacks the layer ${layer.digest}`);
  return range;
}

function blobPath(digest: Descriptor["digest"]): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
