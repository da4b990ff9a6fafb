/** Media types of manifests, configs and layers (OCI image-spec v1.1 media-types.md; Docker image manifest version 2, schema 2). */

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";

/** What a document or blob of a media type is to us. */
export type MediaKind = "index" | "manifest" | "config" | "layer" | "other";

const KINDS: ReadonlyMap<string, MediaKind> = new Map<string, MediaKind>([
  [OCI_INDEX, "index"],
  [DOCKER_LIST, "index"],
  [OCI_MANIFEST, "manifest"],
  [DOCKER_MANIFEST, "manifest"],
  [OCI_CONFIG, "config"],
  [DOCKER_CONFIG, "config"],
  [OCI_LAYER, "layer"],
  [`${OCI_LAYER}+gzip`, "layer"],
  [`${OCI_LAYER}+zstd`, "layer"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "layer"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "layer"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "layer"],
  ["application/vnd.docker.image.rootfs.diff.tar", "layer"],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", "layer"],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", "layer"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", "layer"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "layer"],
]);

/** Classifies a media type; parameters after `;` do not count. */
export function mediaKind(mediaType: string): MediaKind {
  return KINDS.get(mediaType.split(";", 1)[0]?.trim().toLowerCase() ?? "") ?? "other";
}
