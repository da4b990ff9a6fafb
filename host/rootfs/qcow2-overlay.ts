/**
 * An empty qcow2 file above a disk that it leaves as it is: what is written goes into it, by clusters. qemu-img makes the
 * same in a process of its own, which takes longer than all else of a container's disks (docs/interop/qcow2.txt of QEMU
 * 7.2).
 */

import { type FileHandle, open, rm } from "node:fs/promises";
import { rootfsError } from "./errors.ts";

/** `QFI\xfb`, and the version whose header has a length. */
const MAGIC = 0x5146_49fb;
const VERSION = 3;
const HEADER_LENGTH = 104;
/** Header extensions: the backing file's format, and the end. */
const BACKING_FORMAT = 0xe279_2aca;
const CLUSTER_BITS = 16;
const CLUSTER = 2 ** CLUSTER_BITS;
/** A reference count has 16 bits: 2 to the power of this. */
const REFCOUNT_ORDER = 4;
/** What one entry of the first table leads to, in `bytes`: a cluster of addresses of clusters. */
const PER_L1_ENTRY = CLUSTER * (CLUSTER / 8);
/** Longest name (`backing_file_size`). */
const MAX_NAME = 1023;

/** Clusters in the order of the file; the first table has as many as it needs. */
const REFCOUNT_TABLE = 1;
const REFCOUNT_BLOCK = 2;
const L1_TABLE = 3;

export interface Qcow2OverlayOptions {
  /** what the guest sees, in `bytes` */
  readonly bytes: number;
  /** the raw disk below, relative to the file's own folder */
  readonly backing: string;
}

/** Makes the file, which must not exist. @throws ROOTFS_WRITE_FAILED; nothing is left behind then */
export async function makeQcow2Overlay(path: string, options: Qcow2OverlayOptions): Promise<void> {
  const l1Size = Math.ceil(options.bytes / PER_L1_ENTRY);
  const clusters = L1_TABLE + Math.ceil((l1Size * 8) / CLUSTER);
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx", 0o600);
    await file.truncate(clusters * CLUSTER);
    await file.write(header(options, l1Size), 0, undefined, 0);
    await file.write(refcountTable(), 0, undefined, REFCOUNT_TABLE * CLUSTER);
    await file.write(refcountBlock(clusters), 0, undefined, REFCOUNT_BLOCK * CLUSTER);
  } catch (cause) {
    if (file !== undefined) await rm(path, { force: true });
    throw rootfsError("ROOTFS_WRITE_FAILED", `cannot make writable disk ${path}`, { cause });
  } finally {
    await file?.close();
  }
}

function header({ bytes, backing }: Qcow2OverlayOptions, l1Size: number): Buffer {
  const name = Buffer.from(backing);
  if (name.length > MAX_NAME)
    throw new RangeError(`a backing file's name has ${name.length} bytes`);
  const extensions = Buffer.alloc(24);
  extensions.writeUInt32BE(BACKING_FORMAT, 0);
  extensions.writeUInt32BE("raw".length, 4);
  extensions.write("raw", 8, "latin1");
  const fixed = Buffer.alloc(HEADER_LENGTH);
  fixed.writeUInt32BE(MAGIC, 0);
  fixed.writeUInt32BE(VERSION, 4);
  fixed.writeBigUInt64BE(BigInt(HEADER_LENGTH + extensions.length), 8);
  fixed.writeUInt32BE(name.length, 16);
  fixed.writeUInt32BE(CLUSTER_BITS, 20);
  fixed.writeBigUInt64BE(BigInt(bytes), 24);
  fixed.writeUInt32BE(l1Size, 36);
  fixed.writeBigUInt64BE(BigInt(L1_TABLE * CLUSTER), 40);
  fixed.writeBigUInt64BE(BigInt(REFCOUNT_TABLE * CLUSTER), 48);
  fixed.writeUInt32BE(1, 56);
  fixed.writeUInt32BE(REFCOUNT_ORDER, 96);
  fixed.writeUInt32BE(HEADER_LENGTH, 100);
  return Buffer.concat([fixed, extensions, name]);
}

function refcountTable(): Buffer {
  const table = Buffer.alloc(8);
  table.writeBigUInt64BE(BigInt(REFCOUNT_BLOCK * CLUSTER));
  return table;
}

/** Each cluster of the file is used once. */
function refcountBlock(clusters: number): Buffer {
  const block = Buffer.alloc(clusters * 2);
  for (let index = 0; index < clusters; index++) block.writeUInt16BE(1, index * 2);
  return block;
}
