/** A file system that mkfs.ext4 has made, as a place for inodes and blocks: what is free is found and taken. */

import { readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { rootfsError } from "../errors.ts";
import {
  BLOCK_SIZE,
  CHECKSUM_FEATURES,
  EXT4_SUPER_MAGIC,
  GROUP_DESC_SIZE,
  group_desc,
  INODE_SIZE,
  SUPER_BLOCK,
  SUPER_BLOCK_SIZE,
  super_block,
} from "./ext4-fs.ts";

/** Blocks that lie one behind the other. */
export interface BlockRun {
  readonly start: number;
  readonly count: number;
}

/** Changed blocks that are kept before they are written, in `blocks`. */
const MAX_CHANGED = 16 * 1024;

export class Ext4Volume {
  readonly #file: FileHandle;
  readonly #superBlock: Buffer;
  readonly #groups: Buffer;
  readonly #blocks = new Map<number, Buffer>();
  readonly #inodesPerGroup: number;
  readonly #blocksPerGroup: number;
  readonly #inodeCount: number;
  readonly #blockCount: number;
  /** below these all are taken */
  #nextInode = 0;
  #nextBlock = 0;

  /** @throws ROOTFS_WRITE_FAILED for a file system that is not as `makeWritableDisk` makes it without `lazy` */
  static async open(file: FileHandle): Promise<Ext4Volume> {
    const superBlock = Buffer.alloc(SUPER_BLOCK_SIZE);
    await file.read(superBlock, 0, SUPER_BLOCK_SIZE, SUPER_BLOCK);
    const is = (field: keyof typeof super_block, value: number) =>
      superBlock.readUInt16LE(super_block[field]) === value;
    const checksums = superBlock.readUInt32LE(super_block.s_feature_ro_compat) & CHECKSUM_FEATURES;
    const isKnown =
      is("s_magic", EXT4_SUPER_MAGIC) &&
      is("s_log_block_size", 2) &&
      is("s_inode_size", INODE_SIZE) &&
      is("s_desc_size", GROUP_DESC_SIZE) &&
      checksums === 0;
    if (!isKnown) throw rootfsError("ROOTFS_WRITE_FAILED", "the ext4 is of a kind not known here");
    const blocks = readWide(
      superBlock,
      super_block.s_blocks_count_lo,
      super_block.s_blocks_count_hi,
    );
    const count = Math.ceil(blocks / superBlock.readUInt32LE(super_block.s_blocks_per_group));
    const groups = Buffer.alloc(count * GROUP_DESC_SIZE);
    await file.read(groups, 0, groups.length, BLOCK_SIZE);
    return new Ext4Volume(file, superBlock, groups);
  }

  private constructor(file: FileHandle, superBlock: Buffer, groups: Buffer) {
    this.#file = file;
    this.#superBlock = superBlock;
    this.#groups = groups;
    const field = (name: keyof typeof super_block) => superBlock.readUInt32LE(super_block[name]);
    this.#inodesPerGroup = field("s_inodes_per_group");
    this.#blocksPerGroup = field("s_blocks_per_group");
    this.#inodeCount = field("s_inodes_count");
    this.#blockCount = readWide(
      superBlock,
      super_block.s_blocks_count_lo,
      super_block.s_blocks_count_hi,
    );
  }

  /** @returns the number of an inode that is the caller's now @throws ROOTFS_TOO_LARGE when there is none */
  takeInode(isFolder: boolean): number {
    for (; this.#nextInode < this.#inodeCount; this.#nextInode++) {
      const group = Math.floor(this.#nextInode / this.#inodesPerGroup);
      const bitmap = this.block(this.#groupBlock(group, "bg_inode_bitmap"));
      if (!take(bitmap, this.#nextInode % this.#inodesPerGroup)) continue;
      this.#count(group, "bg_free_inodes_count", -1);
      if (isFolder) this.#count(group, "bg_used_dirs_count", 1);
      addTo(this.#superBlock, super_block.s_free_inodes_count, -1);
      return ++this.#nextInode;
    }
    throw tooSmall(this.#blockCount, `has ${this.#inodeCount} inodes`);
  }

  /** @returns at least one block and at most `most` @throws ROOTFS_TOO_LARGE when all are taken */
  takeBlocks(most: number): BlockRun {
    let start = this.#nextBlock;
    for (; this.#nextBlock < this.#blockCount; this.#nextBlock++) {
      const count = this.#nextBlock - start;
      if (count === most) break;
      const group = Math.floor(this.#nextBlock / this.#blocksPerGroup);
      const bitmap = this.block(this.#groupBlock(group, "bg_block_bitmap"));
      if (take(bitmap, this.#nextBlock % this.#blocksPerGroup)) {
        this.#count(group, "bg_free_blocks_count", -1);
      } else if (count > 0) break;
      else start = this.#nextBlock + 1;
    }
    const count = this.#nextBlock - start;
    if (count === 0) throw tooSmall(this.#blockCount, "is full");
    addTo(this.#superBlock, super_block.s_free_blocks_count_lo, -count);
    return { start, count };
  }

  /** An inode as it is on the disk; what is written there is kept. Valid until the next `write`. */
  inode(number: number): Buffer {
    const index = number - 1;
    const table = this.#groupBlock(Math.floor(index / this.#inodesPerGroup), "bg_inode_table");
    const at = (index % this.#inodesPerGroup) * INODE_SIZE;
    const block = this.block(table + Math.floor(at / BLOCK_SIZE));
    return block.subarray(at % BLOCK_SIZE, (at % BLOCK_SIZE) + INODE_SIZE);
  }

  /** The same with a block. */
  block(number: number): Buffer {
    const known = this.#blocks.get(number);
    if (known !== undefined) return known;
    const block = Buffer.alloc(BLOCK_SIZE);
    readSync(this.#file.fd, block, 0, BLOCK_SIZE, number * BLOCK_SIZE);
    this.#blocks.set(number, block);
    return block;
  }

  get hasMuchToWrite(): boolean {
    return this.#blocks.size > MAX_CHANGED;
  }

  /** Writes what has changed; until the last time the file system is not whole. */
  async write(): Promise<void> {
    const numbers = [...this.#blocks.keys()].sort((a, b) => a - b);
    for (const number of numbers) {
      const block = this.#blocks.get(number);
      if (block !== undefined) await this.#file.write(block, 0, BLOCK_SIZE, number * BLOCK_SIZE);
    }
    this.#blocks.clear();
    await this.#file.write(this.#groups, 0, this.#groups.length, BLOCK_SIZE);
    await this.#file.write(this.#superBlock, 0, SUPER_BLOCK_SIZE, SUPER_BLOCK);
  }

  #groupBlock(
    group: number,
    field: "bg_block_bitmap" | "bg_inode_bitmap" | "bg_inode_table",
  ): number {
    const { lo, hi } = group_desc[field];
    const at = group * GROUP_DESC_SIZE;
    return readWide(this.#groups, at + lo, at + hi);
  }

  #count(
    group: number,
    field: "bg_free_blocks_count" | "bg_free_inodes_count" | "bg_used_dirs_count",
    change: number,
  ): void {
    const { lo, hi } = group_desc[field];
    const at = group * GROUP_DESC_SIZE;
    const low = this.#groups.readUInt16LE(at + lo);
    const value = low + this.#groups.readUInt16LE(at + hi) * 0x1_0000 + change;
    this.#groups.writeUInt16LE(value & 0xffff, at + lo);
    this.#groups.writeUInt16LE(value >>> 16, at + hi);
  }
}

function readWide(from: Buffer, low: number, high: number): number {
  return from.readUInt32LE(low) + from.readUInt32LE(high) * 2 ** 32;
}

/** Disks have less than 2^32 blocks: the upper halves of the counts stay 0. */
function addTo(field: Buffer, offset: number, change: number): void {
  field.writeUInt32LE(field.readUInt32LE(offset) + change, offset);
}

/** @returns whether the bit was not set */
function take(bitmap: Buffer, bit: number): boolean {
  const byte = bitmap[bit >> 3] ?? 0xff;
  const mask = 1 << (bit & 7);
  if ((byte & mask) !== 0) return false;
  bitmap[bit >> 3] = byte | mask;
  return true;
}

function tooSmall(blocks: number, why: string): Error {
  const bytes = blocks * BLOCK_SIZE;
  return rootfsError(
    "ROOTFS_TOO_LARGE",
    `the image does not fit a disk of ${bytes} bytes, which ${why}`,
    {
      hint: "give the container a larger disk: --storage-opt size=",
    },
  );
}
