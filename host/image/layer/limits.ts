/** Bounds on what a layer may make us do; everything in a layer is hostile until it fits them. */

export interface LayerLimits {
  /** most entries of a layer */
  readonly entries: number;
  /** most memory that names, xattrs and other metadata of a layer may take, in `bytes` */
  readonly metadata: number;
  /** longest uncompressed tar stream, in `bytes` */
  readonly unpacked: number;
  /** largest apparent size of one file, holes included, in `bytes` */
  readonly fileSize: number;
  /** most data segments of one sparse file */
  readonly segments: number;
  /** most bytes that one compressed byte may become, once a layer is past `ratioFrom` */
  readonly ratio: number;
  /** unpacked length from which the ratio counts, in `bytes`: small layers of zeros are common and harmless */
  readonly ratioFrom: number;
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  entries: 1_000_000,
  metadata: 256 * 1024 * 1024,
  unpacked: 64 * 1024 ** 3,
  fileSize: 1024 ** 4,
  segments: 65_536,
  ratio: 200,
  ratioFrom: 1024 ** 3,
};

/** Longest path or link target, in `bytes`: PATH_MAX of linux/limits.h counts the ending NUL. */
export const MAX_PATH = 4095;
/** Longest component of a path, in `bytes` (NAME_MAX of linux/limits.h). */
export const MAX_NAME = 255;
/** Longest name of an extended attribute, in `bytes` (XATTR_NAME_MAX of linux/limits.h). */
export const MAX_XATTR_NAME = 255;
/** Longest value of an extended attribute, in `bytes` (XATTR_SIZE_MAX of linux/limits.h). */
export const MAX_XATTR_VALUE = 65_536;
/** Longest PAX or GNU extension header, in `bytes`, the same as in Go's archive/tar. */
export const MAX_EXTENSION = 1024 * 1024;
