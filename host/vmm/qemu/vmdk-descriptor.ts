/**
 * The text by which QEMU joins extents of files into one disk: a VMDK descriptor of FLAT extents
 * (VMware Virtual Disk Format 1.1, "The Disk Descriptor File"; QEMU block/vmdk.c).
 */

import type { Extent } from "../../rootfs/extent.ts";
import { VmmError } from "../errors.ts";

const SECTOR = 512;

/** Extents of one disk at most: each is an open file in QEMU, and block/vmdk.c reads 1 MiB of text at most. */
export const MAX_EXTENTS = 1024;

/** `%511[^\n\r\"]` in vmdk_parse_extents, QEMU block/vmdk.c. */
const MAX_PATH_BYTES = 511;

export interface VmdkOptions {
  readonly extents: readonly Extent[];
  /** absolute path of a sparse file, at least as long as the longest zero extent */
  readonly zeroFile: string;
}

/**
 * Renders the descriptor. Zero extents become FLAT extents of the sparse file: QEMU does not count a ZERO extent
 * at the end of a disk. The access mode is RW for QEMU skips all others; the disk is opened read-only as a whole.
 *
 * @throws {VmmError} VMM_CONFIG_INVALID for an extent that the format cannot say
 */
export function vmdkDescriptor({ extents, zeroFile }: VmdkOptions): string {
  if (extents.length === 0 || extents.length > MAX_EXTENTS) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `a disk of ${extents.length} extents, not 1 to ${MAX_EXTENTS}`,
    );
  }
  return [
    "# Disk DescriptorFile",
    "version=1",
    "CID=fffffffe",
    "parentCID=ffffffff",
    'createType="monolithicFlat"',
    ...extents.map((extent) => extentLine(extent, zeroFile)),
    "",
  ].join("\n");
}

/** Length of the longest zero extent, in `bytes`; 0 without any. */
export function longestZeroExtent(extents: readonly Extent[]): number {
  return extents.reduce(
    (longest, { kind, length }) => (kind === "zero" ? Math.max(longest, length) : longest),
    0,
  );
}

function extentLine(extent: Extent, zeroFile: string): string {
  const path = extent.kind === "file" ? extent.path : zeroFile;
  const offset = extent.kind === "file" ? extent.offset : 0;
  checkPath(path);
  return `RW ${sectors(extent.length, path, 1)} FLAT "${path}" ${sectors(offset, path, 0)}`;
}

/** A path that is not absolute would be taken as relative to the descriptor, or as the URL of a protocol. */
function checkPath(path: string): void {
  if (!path.startsWith("/") || /["\r\n\0]/.test(path) || Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `a disk extent in ${JSON.stringify(path)}, which is no absolute path of at most ${MAX_PATH_BYTES} bytes without quotes`,
    );
  }
}

function sectors(bytes: number, path: string, least: number): number {
  const count = bytes / SECTOR;
  if (!Number.isSafeInteger(bytes) || !Number.isInteger(count) || count < least) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `a disk extent in ${path} with ${bytes} bytes, which is no whole number of sectors`,
    );
  }
  return count;
}
