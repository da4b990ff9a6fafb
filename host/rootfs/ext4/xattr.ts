/** Extended attributes of a file: in its inode where they fit, else in a block of their own (fs/ext4/xattr.h, Linux 6.1). */

import { rootfsError } from "../errors.ts";
import { posixAcl } from "./acl.ts";
import { BLOCK_SIZE, EXT4_XATTR_MAGIC, INODE_SIZE, XATTR_START } from "./ext4-fs.ts";

/** EXT4_XATTR_INDEX_*; a prefix that is a whole name leaves none. */
const PREFIXES = [
  { prefix: "user.", index: 1, whole: false },
  { prefix: "system.posix_acl_access", index: 2, whole: true },
  { prefix: "system.posix_acl_default", index: 3, whole: true },
  { prefix: "trusted.", index: 4, whole: false },
  { prefix: "security.", index: 6, whole: false },
] as const;

/** What an image must not bring: a host's labels, and orders to an overlay that the tree may lie under. */
const REFUSED = /^(security\.selinux$|(trusted|user)\.overlay\.)/;

/** `e_name_len` is 8 bits wide. */
const MAX_NAME = 255;
/** struct ext4_xattr_entry without its name, ext4_xattr_header, and the zeros behind the last entry. */
const ENTRY = 16;
const HEADER = 32;
const END = 4;
/** In an inode the header is its magic alone. */
const INODE_HEADER = 4;

interface Attribute {
  readonly index: number;
  /** without its prefix, as a binary string */
  readonly name: string;
  readonly value: Uint8Array;
}

/** Writes the attributes into the inode's end if they fit. @returns else the block that has them */
export function writeXattrs(
  xattrs: ReadonlyMap<string, Uint8Array>,
  inode: Buffer,
): Buffer | undefined {
  const attributes = attributesOf(xattrs);
  if (attributes.length === 0) return undefined;
  const size = attributes.reduce(
    (sum, each) => sum + entrySize(each) + padded(each.value.length),
    0,
  );
  if (INODE_HEADER + size + END <= INODE_SIZE - XATTR_START) {
    inode.writeUInt32LE(EXT4_XATTR_MAGIC, XATTR_START);
    writeEntries(attributes, inode.subarray(XATTR_START + INODE_HEADER), {
      first: 0,
      isHashed: false,
    });
    return undefined;
  }
  if (HEADER + size + END > BLOCK_SIZE) {
    throw rootfsError("ROOTFS_TOO_LARGE", `a file has ${size} bytes of extended attributes`);
  }
  const block = Buffer.alloc(BLOCK_SIZE);
  block.writeUInt32LE(EXT4_XATTR_MAGIC, 0);
  // one user, one block; without a hash of the whole it is shared with nobody
  block.writeUInt32LE(1, 4);
  block.writeUInt32LE(1, 8);
  writeEntries(attributes, block, { first: HEADER, isHashed: true });
  return block;
}

function attributesOf(xattrs: ReadonlyMap<string, Uint8Array>): Attribute[] {
  const found: Attribute[] = [];
  for (const [fullName, value] of xattrs) {
    // As with EROFS: what is of no namespace that the kernel keeps is dropped by unpacking too.
    const kind = PREFIXES.find(({ prefix, whole }) =>
      whole ? fullName === prefix : fullName.startsWith(prefix),
    );
    if (kind === undefined || REFUSED.test(fullName)) continue;
    const name = fullName.slice(kind.prefix.length);
    if ((!kind.whole && name === "") || name.length > MAX_NAME || name.includes("\0")) {
      throw rootfsError("ROOTFS_BAD_ENTRY", "a file has an extended attribute with a bad name");
    }
    found.push({ index: kind.index, name, value: kind.whole ? posixAcl(value) : value });
  }
  // the kernel looks a block's entries up in this order (ext4_xattr_find_entry)
  return found.sort((a, b) => a.index - b.index || a.name.length - b.name.length || order(a, b));
}

function order({ name: a }: Attribute, { name: b }: Attribute): number {
  return a < b ? -1 : Number(a > b);
}

/** Entries from `first` on, their values from the end down. */
function writeEntries(
  attributes: readonly Attribute[],
  area: Buffer,
  { first, isHashed }: { readonly first: number; readonly isHashed: boolean },
): void {
  let at = first;
  let values = area.length;
  for (const attribute of attributes) {
    const { index, name, value } = attribute;
    values -= padded(value.length);
    area.set(value, values);
    area[at] = name.length;
    area[at + 1] = index;
    area.writeUInt16LE(value.length === 0 ? 0 : values, at + 2);
    area.writeUInt32LE(value.length, at + 8);
    area.write(name, at + ENTRY, "latin1");
    if (isHashed) {
      area.writeUInt32LE(
        hashOf(name, area.subarray(values, values + padded(value.length))),
        at + 12,
      );
    }
    at += entrySize(attribute);
  }
}

/** ext4_xattr_hash_entry of fs/ext4/xattr.c; the value is padded by zeros to whole words. */
function hashOf(name: string, value: Buffer): number {
  let hash = 0;
  for (const byte of Buffer.from(name, "latin1")) hash = ((hash << 5) ^ (hash >>> 27) ^ byte) >>> 0;
  for (let at = 0; at < value.length; at += 4) {
    hash = ((hash << 16) ^ (hash >>> 16) ^ value.readUInt32LE(at)) >>> 0;
  }
  return hash;
}

function entrySize({ name }: Attribute): number {
  return padded(ENTRY + name.length);
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
