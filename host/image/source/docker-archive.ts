/** Images in a `docker save` archive, old or new: `manifest.json` at its root lists configs, names and layers. */
import { digestOf, excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import {
  asObject,
  invalid,
  MAX_JSON_BYTES,
  optionalStrings,
  parseJson,
  requiredString,
} from "../json.ts";
import type { BlobInput } from "../layer/blob-input.ts";
import { MAX_LAYERS } from "../manifest.ts";
import { formatReference, parseNamed } from "../reference.ts";
import { type FileTree, readSmallFile } from "./file-tree.ts";
import type { ImageSource, LayerBlob, ResolvedImage } from "./image-source.ts";

/** Most images of an archive, and most names of an image. */
const MAX_IMAGES = 1024;

interface ArchivedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/**
 * Opens an archive as a source; the source owns the tree from here on.
 * @param image name of the image wanted, or `@N` for the N-th; `undefined` for the only one
 */
export function openDockerArchive(tree: FileTree, image: string | undefined): ImageSource {
  return {
    name: image === undefined ? tree.name : `${tree.name}:${image}`,
    resolve: () => resolveArchive(tree, image),
    openLayer: (layer) => openLayer(tree, layer),
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  };
}

/** Lists the images of an archive. @throws SOURCE_UNREADABLE, MANIFEST_INVALID */
export async function listDockerArchive(
  tree: FileTree,
): Promise<readonly { readonly key: string; readonly names: readonly string[] }[]> {
  return (await readImages(tree)).map(({ tags }, n) => ({ key: `@${n}`, names: tags }));
}

async function resolveArchive(tree: FileTree, image: string | undefined): Promise<ResolvedImage> {
  const chosen = chooseImage(await readImages(tree), image, tree.name);
  const config = await readSmallFile(tree, chosen.config, MAX_JSON_BYTES);
  const digest = digestOf(config);
  checkConfigName(chosen.config, digest, tree.name);
  const layers: LayerBlob[] = [];
  for (const path of chosen.layers) {
    const range = await tree.locate(path);
    if (range === undefined)
      throw imageError("SOURCE_UNREADABLE", `${tree.name} lacks the layer ${excerpt(path)}`);
    layers.push({ key: path, digest: undefined, size: range.length });
  }
  return { manifest: undefined, config: { digest, bytes: config }, layers };
}

async function readImages(tree: FileTree): Promise<readonly ArchivedImage[]> {
  if ((await tree.locate("manifest.json")) === undefined)
    throw imageError(
      "SOURCE_UNREADABLE",
      `not a docker archive: ${tree.name} has no manifest.json`,
    );
  const where = `${tree.name}: manifest.json`;
  const list = parseJson(await readSmallFile(tree, "manifest.json", MAX_JSON_BYTES), where);
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_IMAGES)
    throw invalid(where, `not a list of 1 to ${MAX_IMAGES} images`);
  return list.map((item: unknown, n) => {
    const object = asObject(item, `${where}[${n}]`);
    return {
      config: requiredString(object, "Config", where),
      tags: optionalStrings(object, "RepoTags", { where, max: MAX_IMAGES }) ?? [],
      layers: optionalStrings(object, "Layers", { where, max: MAX_LAYERS }) ?? [],
    };
  });
}

function chooseImage(
  images: readonly ArchivedImage[],
  image: string | undefined,
  name: string,
): ArchivedImage {
  const [first] = images;
  if (image === undefined && first !== undefined && images.length === 1) return first;
  const all = images.flatMap((item) => item.tags).slice(0, 8);
  const hint = `it holds: ${all.map(excerpt).join(", ") || "images without a name"}`;
  if (image === undefined)
    throw imageError("IMAGE_AMBIGUOUS", `${name} holds ${images.length} images`, { hint });
  const index = /^@([0-9]{1,4})$/.exec(image);
  const found =
    index === null
      ? images.find((item) => item.tags.some((tag) => sameName(tag, image)))
      : images[Number(index[1])];
  if (found === undefined)
    throw imageError("IMAGE_NOT_FOUND", `${name} holds no image ${excerpt(image)}`, { hint });
  return found;
}

/** Compares names in their full form; a bare tag matches the tag of any name. */
function sameName(stated: string, wanted: string): boolean {
  if (stated === wanted || stated.slice(stated.lastIndexOf(":") + 1) === wanted) return true;
  try {
    return formatReference(parseNamed(stated)) === formatReference(parseNamed(wanted));
  } catch {
    // A name that is none equals nothing else.
    return false;
  }
}

/** Configs are named by their digest; a name that is another's is damage. */
function checkConfigName(path: string, digest: string, name: string): void {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  if (hex !== undefined && digest !== `sha256:${hex}`)
    throw imageError("DIGEST_MISMATCH", `${name}: config ${hex} has the digest ${digest}`);
}

async function openLayer(tree: FileTree, layer: LayerBlob): Promise<BlobInput> {
  const range = await tree.locate(layer.key);
  if (range === undefined)
    throw imageError("SOURCE_UNREADABLE", `${tree.name} lacks the layer ${excerpt(layer.key)}`);
  return range;
}
