/**
 * Image indexes and image manifests: OCI image-spec v1.1 (image-index.md, manifest.md) and Docker's schema 2,
 * checked field by field.
 */
import { type Digest, excerpt, parseDigest } from "./digest.ts";
import { imageError } from "./errors.ts";
import {
  asObject,
  invalid,
  type JsonObject,
  optionalArray,
  optionalString,
  parseJsonObject,
  requiredSize,
  requiredString,
  stringMap,
} from "./json.ts";
import { mediaKind, OCI_INDEX, OCI_MANIFEST } from "./media-type.ts";
import { normalize, type Platform } from "./platform.ts";

/** Most layers an image may have; overlay mounts and Docker stop at 127, builders stay far below. */
export const MAX_LAYERS = 1024;
/** Most manifests an index may list. */
const MAX_INDEX_ENTRIES = 1024;

/** A pointer to a blob (OCI image-spec v1.1, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** length of the blob, in `bytes` */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** platform the blob is for, where an index says so */
  readonly platform?: Platform;
}

export interface ImageIndex {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/**
 * Parses an index or a manifest.
 * @param where what it is called in messages: `manifest sha256:…`
 * @param mediaType what the transport said it is, if it did
 * @throws MANIFEST_INVALID, NOT_AN_IMAGE
 */
export function parseManifest(
  bytes: Uint8Array,
  where: string,
  mediaType?: string,
): ImageIndex | ImageManifest {
  const document = parseJsonObject(bytes, where);
  if (document.schemaVersion !== 2) throw oldSchema(document, where);
  const type = documentType(document, where, mediaType);
  const kind = mediaKind(type);
  if (kind === "index") return parseIndexFields(document, where);
  if (kind === "manifest") return parseManifestFields(document, where, type);
  throw imageError("NOT_AN_IMAGE", `${where}: not an image manifest: ${excerpt(type)}`);
}

/** Parses the `index.json` of a layout, which has to be an index. @throws MANIFEST_INVALID */
export function parseIndex(bytes: Uint8Array, where: string): ImageIndex {
  const parsed = parseManifest(bytes, where, OCI_INDEX);
  if (parsed.kind !== "index") throw invalid(where, "not an image index");
  return parsed;
}

/** A document that is both an index and a manifest could be taken for either by two readers, so it is refused (image-spec v1.1, GHSA-77vh-xpmg-72qh). */
function documentType(document: JsonObject, where: string, transportType?: string): string {
  const hasManifests = document.manifests !== undefined;
  const hasLayers = document.layers !== undefined || document.config !== undefined;
  if (hasManifests && hasLayers) throw invalid(where, "both an index and a manifest");
  const stated = optionalString(document, "mediaType", where);
  const shape = hasManifests ? OCI_INDEX : hasLayers ? OCI_MANIFEST : undefined;
  const type = stated ?? transportType ?? shape;
  if (type === undefined) throw invalid(where, "neither an index nor a manifest");
  const kind = mediaKind(type);
  if ((kind === "index" && hasLayers) || (kind === "manifest" && hasManifests))
    throw invalid(where, `content does not fit its media type ${excerpt(type)}`);
  return type;
}

function parseIndexFields(document: JsonObject, where: string): ImageIndex {
  const list = optionalArray(document, "manifests", { where, max: MAX_INDEX_ENTRIES });
  if (list === undefined) throw invalid(where, "manifests is missing");
  const manifests = list.map((item, n) => parseDescriptor(item, `${where}: manifests[${n}]`));
  return { kind: "index", manifests };
}

function parseManifestFields(
  document: JsonObject,
  where: string,
  mediaType: string,
): ImageManifest {
  const list = optionalArray(document, "layers", { where, max: MAX_LAYERS });
  if (list === undefined) throw invalid(where, "layers is missing");
  const config = parseDescriptor(document.config, `${where}: config`);
  if (mediaKind(config.mediaType) !== "config")
    throw imageError(
      "NOT_AN_IMAGE",
      `${where}: not a container image: its config is ${excerpt(config.mediaType)}`,
    );
  const layers = list.map((item, n) => parseDescriptor(item, `${where}: layers[${n}]`));
  for (const layer of layers) {
    if (mediaKind(layer.mediaType) !== "layer")
      throw imageError(
        "NOT_AN_IMAGE",
        `${where}: not a layer of files: ${excerpt(layer.mediaType)}`,
      );
  }
  return { kind: "manifest", mediaType, config, layers };
}

function parseDescriptor(value: unknown, where: string): Descriptor {
  const object = asObject(value, where);
  const platform = parsePlatformField(object.platform, where);
  return {
    mediaType: requiredString(object, "mediaType", where),
    digest: parseDigest(requiredString(object, "digest", where), where),
    size: requiredSize(object, "size", where),
    annotations: stringMap(object, "annotations", where),
    ...(platform === undefined ? {} : { platform }),
  };
}

function parsePlatformField(value: unknown, where: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const object = asObject(value, `${where}: platform`);
  return normalize({
    os: optionalString(object, "os", where) ?? "",
    architecture: optionalString(object, "architecture", where) ?? "",
    variant: optionalString(object, "variant", where) ?? "",
  });
}

function oldSchema(document: JsonObject, where: string): Error {
  if (document.schemaVersion === 1)
    return imageError("NOT_AN_IMAGE", `${where}: Docker's old manifest schema 1`, {
      hint: "push the image again with a client newer than 2017",
    });
  return invalid(where, "schemaVersion is not 2");
}
