/** What a file takes of its file system that it shares with no other: ioctl FS_IOC_FIEMAP (linux/fiemap.h). */

import { FileDescriptor } from "./file-descriptor.ts";
import { _IOWR } from "./ioctl.ts";
import { ioctlBuffer } from "./ioctl-call.ts";
import { SystemError } from "./system-error.ts";

/** struct fiemap and struct fiemap_extent */
const FIEMAP = { size: 32, fm_start: 0, fm_length: 8, fm_mapped_extents: 20, fm_extent_count: 24 };
const EXTENT = { size: 56, fe_logical: 0, fe_length: 16, fe_flags: 40 };
const FIEMAP_EXTENT_LAST = 0x1;
const FIEMAP_EXTENT_SHARED = 0x2000;
const FS_IOC_FIEMAP = _IOWR(0x66, 11, FIEMAP.size);
/** Extents that are asked for at a time. */
const COUNT = 512;

/** @returns `bytes`; undefined where the file system does not tell @throws {SystemError} */
export function ownBytes(path: string): number | undefined {
  using file = FileDescriptor.open(path);
  const buffer = Buffer.alloc(FIEMAP.size + COUNT * EXTENT.size);
  let own = 0;
  for (let start: bigint | undefined = 0n; start !== undefined; ) {
    buffer.fill(0);
    buffer.writeBigUInt64LE(start, FIEMAP.fm_start);
    buffer.writeBigUInt64LE(0xffff_ffff_ffff_ffffn - start, FIEMAP.fm_length);
    buffer.writeUInt32LE(COUNT, FIEMAP.fm_extent_count);
    if (!asked(file.number, buffer)) return undefined;
    const found = readExtents(buffer);
    own += found.own;
    start = found.next;
  }
  return own;
}

function asked(fd: number, buffer: Buffer): boolean {
  try {
    ioctlBuffer({ fd, name: "FS_IOC_FIEMAP", request: FS_IOC_FIEMAP }, buffer);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "EOPNOTSUPP") return false;
    throw error;
  }
}

/** @returns own bytes among the extents, and where to ask next unless the last one is among them */
function readExtents(buffer: Buffer): { own: number; next: bigint | undefined } {
  const count = buffer.readUInt32LE(FIEMAP.fm_mapped_extents);
  let own = 0;
  let next: bigint | undefined;
  for (let index = 0; index < count; index++) {
    const at = FIEMAP.size + index * EXTENT.size;
    const length = buffer.readBigUInt64LE(at + EXTENT.fe_length);
    const flags = buffer.readUInt32LE(at + EXTENT.fe_flags);
    if ((flags & FIEMAP_EXTENT_SHARED) === 0) own += Number(length);
    const isLast = (flags & FIEMAP_EXTENT_LAST) !== 0;
    next = isLast ? undefined : buffer.readBigUInt64LE(at + EXTENT.fe_logical) + length;
  }
  return { own, next };
}
