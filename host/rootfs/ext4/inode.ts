/** An inode of a tree's node (struct ext4_inode of fs/ext4/ext4.h, Linux 6.1). */

import type { Attributes, TreeNode } from "../tree.ts";
import {
  EXT4_EXTENTS_FL,
  EXT4_LINK_MAX,
  EXTRA_ISIZE,
  inode as field,
  I_BLOCK_SIZE,
} from "./ext4-fs.ts";

/** S_IF* of linux/stat.h. */
const FORMATS = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

const SECTORS_PER_BLOCK = 8;

export interface InodeContent {
  readonly type: TreeNode["type"];
  readonly attributes: Attributes;
  /** in `bytes` */
  readonly size: number;
  readonly links: number;
  /** content, extent tree and attributes, in `blocks` */
  readonly blocks: number;
  /** block of its attributes; 0: none */
  readonly xattrBlock: number;
  /** whether `i_block` is the root of an extent tree */
  readonly hasExtents: boolean;
}

/** The part of the inode that says where its content is, or is it. */
export function blockField(inode: Buffer): Buffer {
  return inode.subarray(field.i_block, field.i_block + I_BLOCK_SIZE);
}

/** Fills in all but `i_block` and attributes. */
export function writeInode(inode: Buffer, content: InodeContent): void {
  const { type, attributes, size, links, blocks, xattrBlock } = content;
  inode.writeUInt16LE(FORMATS[type] | attributes.mode, field.i_mode);
  inode.writeUInt16LE(attributes.uid % 2 ** 16, field.i_uid);
  inode.writeUInt16LE(attributes.uid >>> 16, field.l_i_uid_high);
  inode.writeUInt16LE(attributes.gid % 2 ** 16, field.i_gid);
  inode.writeUInt16LE(attributes.gid >>> 16, field.l_i_gid_high);
  inode.writeUInt32LE(size % 2 ** 32, field.i_size_lo);
  inode.writeUInt32LE(Math.floor(size / 2 ** 32), field.i_size_high);
  // of a folder that has more, the number is not known (dir_nlink)
  const isUncounted = type === "directory" && links >= EXT4_LINK_MAX;
  inode.writeUInt16LE(isUncounted ? 1 : links, field.i_links_count);
  const sectors = blocks * SECTORS_PER_BLOCK;
  inode.writeUInt32LE(sectors % 2 ** 32, field.i_blocks_lo);
  inode.writeUInt16LE(Math.floor(sectors / 2 ** 32), field.l_i_blocks_high);
  inode.writeUInt32LE(content.hasExtents ? EXT4_EXTENTS_FL : 0, field.i_flags);
  inode.writeUInt32LE(xattrBlock % 2 ** 32, field.i_file_acl_lo);
  inode.writeUInt16LE(Math.floor(xattrBlock / 2 ** 32), field.l_i_file_acl_high);
  inode.writeUInt16LE(EXTRA_ISIZE, field.i_extra_isize);
  writeTime(inode, attributes, { seconds: field.i_mtime, extra: field.i_mtime_extra });
  writeTime(inode, attributes, { seconds: field.i_ctime, extra: field.i_ctime_extra });
  writeTime(inode, attributes, { seconds: field.i_atime, extra: field.i_atime_extra });
  writeTime(inode, attributes, { seconds: field.i_crtime, extra: field.i_crtime_extra });
}

/** First and last second that an inode can tell (Documentation/filesystems/ext4/inodes.rst, Linux 6.1). */
const FIRST_SECOND = -(2 ** 31);
const LAST_SECOND = 2 ** 34 - 2 ** 31 - 1;

/** Signed seconds, and behind them two bits of the epoch and thirty of nanoseconds. */
function writeTime(
  inode: Buffer,
  { mtime, mtimeNanoseconds }: Attributes,
  at: { readonly seconds: number; readonly extra: number },
): void {
  const time = Math.min(Math.max(mtime, FIRST_SECOND), LAST_SECOND);
  const low = time | 0;
  inode.writeInt32LE(low, at.seconds);
  const epoch = Math.round((time - low) / 2 ** 32) & 3;
  inode.writeUInt32LE(mtimeNanoseconds * 4 + epoch, at.extra);
}
