/** Reads the superblock of an EROFS image, as far as it tells whether the image is one of ours and whole. */

import { crc32c } from "./crc32c.ts";
import { EROFS_SUPER_MAGIC_V1, EROFS_SUPER_OFFSET, erofs_super_block } from "./erofs-fs.ts";

export interface SuperBlock {
  /** blocks of the whole disk */
  readonly blocks: number;
  /** number of inodes */
  readonly inodes: number;
  /** number of the root's inode */
  readonly rootNid: number;
  /** seconds that compact inodes have as their modification time; signed */
  readonly buildTime: number;
  /** the rest of it, in `nanoseconds` */
  readonly buildTimeNanoseconds: number;
  /** block of the shared extended attributes */
  readonly xattrBlock: number;
}

/** Reads the superblock out of an image's first block; undefined where magic or checksum are wrong. */
export function readSuperBlock(block: Uint8Array): SuperBlock | undefined {
  const copy = block.slice(EROFS_SUPER_OFFSET);
  const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
  const at = erofs_super_block;
  if (view.getUint32(at.magic, true) !== EROFS_SUPER_MAGIC_V1) return undefined;
  const checksum = view.getUint32(at.checksum, true);
  view.setUint32(at.checksum, 0, true);
  if (crc32c(0xffff_ffff, copy) !== checksum) return undefined;
  return {
    blocks: view.getUint32(at.blocks, true),
    inodes: view.getUint32(at.inos, true),
    rootNid: view.getUint16(at.root_nid, true),
    buildTime: Number(view.getBigInt64(at.build_time, true)),
    buildTimeNanoseconds: view.getUint32(at.build_time_nsec, true),
    xattrBlock: view.getUint32(at.xattr_blkaddr, true),
  };
}
