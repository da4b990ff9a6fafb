/** What stands behind a block device: bytes at offsets, moved straight between files and guest memory. */

import type { Buffers } from "../virtio/chain.ts";

/** A part of a request's buffers. */
export interface DataRange {
  readonly buffers: Buffers;
  /** start within the buffers, in `bytes` */
  readonly position: number;
  /** in `bytes` */
  readonly length: number;
}

/**
 * A disk. Callers keep offset and length within it. Every method is synchronous, and throws
 * `SystemCallError` when the files fail it.
 */
export interface Disk {
  /** in `bytes`, a multiple of 512 */
  readonly length: number;
  /** Fills the buffers with what the disk has from `offset` on. */
  read(offset: number, data: DataRange): void;
  /** what only a writable disk can do; undefined for a read-only one */
  readonly writer?: DiskWriter;
}

export interface DiskWriter {
  write(offset: number, data: DataRange): void;
  /** Returns when all that was written is on stable storage. */
  flush(): void;
  /** Writes to the file what is held back until a flush; absent: nothing is. */
  settle?(): void;
  /** The range is not needed; it may read as anything that it ever was, or zeros. */
  discard(offset: number, length: number): void;
  /** The range reads as zeros from now on; `unmap` lets its storage go. */
  writeZeroes(offset: number, length: number, unmap: boolean): void;
}
