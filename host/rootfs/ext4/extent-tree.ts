/** Where a file's blocks are: a tree of extents, whose root is in the inode (fs/ext4/ext4_extents.h, Linux 6.1). */

import {
  BLOCK_SIZE,
  EXT_INIT_MAX_LEN,
  EXT4_EXT_MAGIC,
  EXTENT_SIZE,
  I_BLOCK_SIZE,
} from "./ext4-fs.ts";
import type { BlockRun, Ext4Volume } from "./ext4-volume.ts";

/** A run of a file's blocks on the disk. */
export interface Extent extends BlockRun {
  /** first block of it in the file */
  readonly block: number;
}

/** An entry of any level: an extent, or a block that holds such. */
interface Entry {
  readonly block: number;
  write(to: Buffer, offset: number): void;
}

/** Blocks for `count` blocks of a file from `block` on. @throws ROOTFS_TOO_LARGE */
export function takeExtents(volume: Ext4Volume, block: number, count: number): Extent[] {
  const extents: Extent[] = [];
  for (let done = 0; done < count; ) {
    const run = volume.takeBlocks(Math.min(count - done, EXT_INIT_MAX_LEN));
    extents.push({ block: block + done, ...run });
    done += run.count;
  }
  return extents;
}

/** Writes the tree, whose root goes into `i_block`. @returns how many blocks the rest of it takes */
export function writeExtentTree(
  volume: Ext4Volume,
  extents: readonly Extent[],
  i_block: Buffer,
): number {
  let entries: readonly Entry[] = extents.map(({ block, start, count }) => ({
    block,
    write: (to, offset) => {
      to.writeUInt32LE(block, offset);
      to.writeUInt16LE(count, offset + 4);
      writePlace(to, start, { high: offset + 6, low: offset + 8 });
    },
  }));
  let blocks = 0;
  let depth = 0;
  for (; entries.length > capacity(I_BLOCK_SIZE); depth++) {
    const level: Entry[] = [];
    for (let at = 0; at < entries.length; at += capacity(BLOCK_SIZE)) {
      const part = entries.slice(at, at + capacity(BLOCK_SIZE));
      const { start } = volume.takeBlocks(1);
      writeNode(volume.block(start), part, { depth, size: BLOCK_SIZE });
      level.push(indexEntry(part[0]?.block ?? 0, start));
      blocks++;
    }
    entries = level;
  }
  writeNode(i_block, entries, { depth, size: I_BLOCK_SIZE });
  return blocks;
}

function indexEntry(block: number, leaf: number): Entry {
  return {
    block,
    write: (to, offset) => {
      to.writeUInt32LE(block, offset);
      writePlace(to, leaf, { high: offset + 8, low: offset + 4 });
    },
  };
}

function writePlace(to: Buffer, block: number, at: { readonly high: number; low: number }): void {
  to.writeUInt16LE(Math.floor(block / 2 ** 32), at.high);
  to.writeUInt32LE(block % 2 ** 32, at.low);
}

function writeNode(
  to: Buffer,
  entries: readonly Entry[],
  { depth, size }: { readonly depth: number; readonly size: number },
): void {
  to.writeUInt16LE(EXT4_EXT_MAGIC, 0);
  to.writeUInt16LE(entries.length, 2);
  to.writeUInt16LE(capacity(size), 4);
  to.writeUInt16LE(depth, 6);
  for (const [index, entry] of entries.entries()) entry.write(to, (index + 1) * EXTENT_SIZE);
}

/** Entries behind the header. */
function capacity(size: number): number {
  return Math.floor(size / EXTENT_SIZE) - 1;
}
