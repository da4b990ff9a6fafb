/** For tests: reads an EROFS image by the format's own rules, and complains of whatever a kernel would. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { showXattrs } from "../test-layers.ts";
import {
  EROFS_BLKSIZ,
  EROFS_INODE_CHUNK_BASED,
  EROFS_INODE_FLAT_INLINE,
  EROFS_INODE_FLAT_PLAIN,
  EROFS_NULL_ADDR,
  FILE_TYPES,
} from "./erofs-fs.ts";
import { readSuperBlock, type SuperBlock } from "./super-block.ts";

/** An inode as found on disk. */
export interface SeenInode {
  readonly nid: number;
  readonly type: keyof typeof FILE_TYPES;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNanoseconds: number;
  readonly links: number;
  readonly size: number;
  /** target of a link, digest of a file, `major:minor` of a device */
  readonly content: string;
  readonly xattrs: string;
}

/** Reads `length` bytes of the joined disk. */
export type ReadDisk = (offset: number, length: number) => Buffer;

const XATTR_PREFIXES = [
  "",
  "user.",
  "system.posix_acl_access",
  "system.posix_acl_default",
  "trusted.",
  "",
  "security.",
];
const TYPES = Object.keys(FILE_TYPES) as (keyof typeof FILE_TYPES)[];

/** Reads the whole tree: path to inode. */
export function readErofs(read: ReadDisk): Map<string, SeenInode> {
  const superBlock = readSuperBlock(read(0, EROFS_BLKSIZ));
  assert.ok(superBlock, "superblock with a right checksum");
  const seen = new Map<string, SeenInode>();
  const inodes = new Map<number, ReturnType<typeof readInode>>();
  const visit = (path: string, nid: number, parent: number) => {
    const raw = inodes.get(nid) ?? readInode(read, superBlock, nid);
    inodes.set(nid, raw);
    seen.set(path, raw.inode);
    if (raw.inode.type !== "directory") return;
    const names = readFolder(raw.data(), raw.inode.size);
    assert.equal(names.get(".")?.nid, nid, `. of ${path}`);
    assert.equal(names.get("..")?.nid, parent, `.. of ${path}`);
    for (const [name, child] of names) {
      if (name === "." || name === "..") continue;
      const childPath = path === "" ? name : `${path}/${name}`;
      visit(childPath, child.nid, nid);
      const type = seen.get(childPath)?.type;
      assert.equal(type && FILE_TYPES[type].FT, child.fileType, `file type of ${childPath}`);
    }
  };
  visit("", superBlock.rootNid, superBlock.rootNid);
  assert.equal(inodes.size, superBlock.inodes, "inodes counted in the superblock");
  return seen;
}

function readInode(read: ReadDisk, superBlock: SuperBlock, nid: number) {
  const place = nid * 32;
  const head = read(place, 64);
  const format = head.readUInt16LE(0);
  const extended = (format & 1) === 1;
  const layout = format >> 1;
  const isize = extended ? 64 : 32;
  assert.ok((place % EROFS_BLKSIZ) + isize <= EROFS_BLKSIZ, "inode within a block");
  const icount = head.readUInt16LE(2);
  const xattrSize = icount === 0 ? 0 : 12 + (icount - 1) * 4;
  const mode = head.readUInt16LE(4);
  const type = TYPES.find((name) => FILE_TYPES[name].S_IF === (mode & 0o170000));
  assert.ok(type, "known type");
  const size = extended ? Number(head.readBigUInt64LE(8)) : head.readUInt32LE(8);
  const i_u = head.readUInt32LE(16);
  const data = () => readData(read, { layout, size, i_u, behind: place + isize + xattrSize });
  const inode: SeenInode = {
    nid,
    type,
    mode: mode & 0o7777,
    uid: extended ? head.readUInt32LE(24) : head.readUInt16LE(24),
    gid: extended ? head.readUInt32LE(28) : head.readUInt16LE(26),
    mtime: extended ? Number(head.readBigInt64LE(32)) : superBlock.buildTime,
    mtimeNanoseconds: extended ? head.readUInt32LE(40) : superBlock.buildTimeNanoseconds,
    links: extended ? head.readUInt32LE(44) : head.readUInt16LE(6),
    size,
    content: contentOf(type, i_u, data),
    xattrs: readXattrs(read, superBlock, place + isize, xattrSize),
  };
  return { inode, data };
}

function contentOf(type: string, i_u: number, data: () => Buffer): string {
  if (type === "symlink") return data().toString("latin1");
  if (type === "file") return createHash("sha256").update(data()).digest("hex");
  // new_decode_dev() in Linux 6.1 include/linux/kdev_t.h
  if (type === "character" || type === "block")
    return `${(i_u & 0xfff00) >> 8}:${(i_u & 0xff) | ((i_u >>> 12) & 0xfff00)}`;
  return "";
}

function readData(
  read: ReadDisk,
  at: { layout: number; size: number; i_u: number; behind: number },
): Buffer {
  const { layout, size, i_u, behind } = at;
  if (size === 0) return Buffer.alloc(0);
  if (layout === EROFS_INODE_FLAT_PLAIN) return read(i_u * EROFS_BLKSIZ, size);
  if (layout === EROFS_INODE_FLAT_INLINE) {
    const whole = Math.ceil(size / EROFS_BLKSIZ) - 1;
    const tail = size - whole * EROFS_BLKSIZ;
    assert.ok((behind % EROFS_BLKSIZ) + tail <= EROFS_BLKSIZ, "inline tail within a block");
    return Buffer.concat([read(i_u * EROFS_BLKSIZ, whole * EROFS_BLKSIZ), read(behind, tail)]);
  }
  assert.equal(layout, EROFS_INODE_CHUNK_BASED);
  const chunk = EROFS_BLKSIZ * 2 ** (i_u & 0x1f);
  const data = Buffer.alloc(size);
  for (let at = 0; at < size; at += chunk) {
    const block = read(behind + (at / chunk) * 4, 4).readUInt32LE(0);
    if (block === EROFS_NULL_ADDR) continue;
    data.set(read(block * EROFS_BLKSIZ, Math.min(chunk, size - at)), at);
  }
  return data;
}

function readFolder(data: Buffer, size: number): Map<string, { nid: number; fileType: number }> {
  const names = new Map<string, { nid: number; fileType: number }>();
  let last = "";
  for (let start = 0; start < size; start += EROFS_BLKSIZ) {
    const block = data.subarray(start, Math.min(start + EROFS_BLKSIZ, size));
    const count = block.readUInt16LE(8) / 12;
    assert.ok(Number.isInteger(count) && count > 0, "dirents in a block");
    for (let index = 0; index < count; index += 1) {
      const nameoff = block.readUInt16LE(index * 12 + 8);
      const next = index + 1 < count ? block.readUInt16LE(index * 12 + 20) : block.length;
      const name = block.subarray(nameoff, next).toString("latin1").replace(/\0+$/, "");
      assert.ok(name.length > 0 && name.length <= 255, "name length");
      assert.ok(name > last, `names in order: ${last} before ${name}`);
      last = name;
      names.set(name, {
        nid: Number(block.readBigUInt64LE(index * 12)),
        fileType: block.readUInt8(index * 12 + 10),
      });
    }
  }
  return names;
}

function readXattrs(read: ReadDisk, superBlock: SuperBlock, place: number, size: number): string {
  const found = new Map<string, Uint8Array>();
  if (size === 0) return showXattrs(found);
  const area = read(place, size);
  const shared = area.readUInt8(4);
  for (let index = 0; index < shared; index += 1) {
    const id = area.readUInt32LE(12 + index * 4);
    readXattr(read(superBlock.xattrBlock * EROFS_BLKSIZ + id * 4, 4 + 255 + 65535), found);
  }
  for (let at = 12 + shared * 4; at < size; ) at += readXattr(area.subarray(at), found);
  return showXattrs(found);
}

function readXattr(bytes: Buffer, found: Map<string, Uint8Array>): number {
  const nameLength = bytes.readUInt8(0);
  const valueLength = bytes.readUInt16LE(2);
  const name = bytes.subarray(4, 4 + nameLength).toString("latin1");
  const value = bytes.subarray(4 + nameLength, 4 + nameLength + valueLength);
  found.set(`${XATTR_PREFIXES[bytes.readUInt8(1)]}${name}`, new Uint8Array(value));
  return Math.ceil((4 + nameLength + valueLength) / 4) * 4;
}
