/** Extended attributes: inline behind their inode, or once in the shared area where several inodes have them. */

import { rootfsError } from "../errors.ts";
import type { Attributes } from "../tree.ts";
import type { BlockBuffer } from "./block-buffer.ts";
import {
  EROFS_XATTR_INDEX_POSIX_ACL_ACCESS,
  EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT,
  EROFS_XATTR_INDEX_SECURITY,
  EROFS_XATTR_INDEX_TRUSTED,
  EROFS_XATTR_INDEX_USER,
  erofs_xattr_entry,
  erofs_xattr_ibody_header,
} from "./erofs-fs.ts";

/** Fewest inodes with the same attribute and value for which one shared copy is the smaller choice. */
const SHARE_FROM = 3;
/** `h_shared_count` is 8 bits wide. */
const MAX_SHARED = 255;
/** `e_name_len` and `e_value_size` are 8 and 16 bits wide. */
const MAX_NAME = 255;
const MAX_VALUE = 65535;
/** Attributes of one inode, in `bytes`: what `i_xattr_icount` can count, and what one write may hold. */
const MAX_IBODY = 0x3_0000;

const PREFIXES = [
  { prefix: "user.", index: EROFS_XATTR_INDEX_USER, whole: false },
  {
    prefix: "system.posix_acl_access",
    index: EROFS_XATTR_INDEX_POSIX_ACL_ACCESS,
    whole: true,
  },
  {
    prefix: "system.posix_acl_default",
    index: EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT,
    whole: true,
  },
  { prefix: "trusted.", index: EROFS_XATTR_INDEX_TRUSTED, whole: false },
  { prefix: "security.", index: EROFS_XATTR_INDEX_SECURITY, whole: false },
] as const;

/** Attributes that an image must not bring: a host's labels, and orders to the overlay that the disk lies under. */
const REFUSED = /^(security\.selinux$|(trusted|user)\.overlay\.)/;

interface Attribute {
  readonly index: number;
  /** the name without its prefix, as a binary string */
  readonly name: string;
  readonly value: Uint8Array;
  /** equal for equal attributes */
  readonly key: string;
}

/** The attributes of one inode as they go to disk. */
export interface Ibody {
  /** length on disk, in `bytes` */
  readonly size: number;
  readonly shared: readonly Attribute[];
  readonly inline: readonly Attribute[];
}

/** Collects the attributes of all inodes, then knows how each inode's are written. */
export class XattrPlan {
  readonly #lists = new Map<ReadonlyMap<string, Uint8Array>, readonly Attribute[]>();
  readonly #uses = new Map<string, number>();
  readonly #offsets = new Map<string, number>();
  readonly #sharedArea: Attribute[] = [];
  /** length of the shared area, in `bytes` */
  sharedSize = 0;

  /** Counts an inode's attributes; each inode once, all before the first `ibody`. */
  add({ xattrs }: Attributes): void {
    if (xattrs.size === 0) return;
    const list = attributesOf(xattrs);
    this.#lists.set(xattrs, list);
    for (const { key } of list) this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
  }

  /** The attributes of an inode; undefined where it has none. */
  ibody({ xattrs }: Attributes): Ibody | undefined {
    const list = this.#lists.get(xattrs);
    if (list === undefined || list.length === 0) return undefined;
    const shared: Attribute[] = [];
    const inline: Attribute[] = [];
    let size: number = erofs_xattr_ibody_header.sizeof;
    for (const attribute of list) {
      const share = (this.#uses.get(attribute.key) ?? 0) >= SHARE_FROM;
      if (share && shared.length < MAX_SHARED) {
        shared.push(attribute);
        this.#share(attribute);
        size += 4;
      } else {
        inline.push(attribute);
        size += entrySize(attribute);
      }
    }
    if (size > MAX_IBODY) {
      throw rootfsError("ROOTFS_TOO_LARGE", `a file has ${size} bytes of extended attributes`);
    }
    return { size, shared, inline };
  }

  /** Writes an inode's attributes at byte `at` of the buffer. */
  writeIbody(buffer: BlockBuffer, at: number, ibody: Ibody): void {
    buffer.view.setUint8(at + erofs_xattr_ibody_header.h_shared_count, ibody.shared.length);
    let position = at + erofs_xattr_ibody_header.sizeof;
    for (const { key } of ibody.shared) {
      // A shared attribute's id is its place in the shared area, in 32-bit words.
      buffer.view.setUint32(position, (this.#offsets.get(key) ?? 0) / 4, true);
      position += 4;
    }
    for (const attribute of ibody.inline) position += writeEntry(buffer, position, attribute);
  }

  /** Writes the shared area, one attribute a step, so that the caller may empty the buffer in between. */
  *writeShared(buffer: BlockBuffer): Generator<void> {
    for (const attribute of this.#sharedArea) {
      yield;
      writeEntry(buffer, buffer.reserve(entrySize(attribute)), attribute);
    }
  }

  #share(attribute: Attribute): void {
    if (this.#offsets.has(attribute.key)) return;
    this.#offsets.set(attribute.key, this.sharedSize);
    this.#sharedArea.push(attribute);
    this.sharedSize += entrySize(attribute);
  }
}

function attributesOf(xattrs: ReadonlyMap<string, Uint8Array>): Attribute[] {
  const list: Attribute[] = [];
  for (const [fullName, value] of xattrs) {
    // Linux keeps attributes of these namespaces alone in EROFS; unpacking drops the others as well.
    const kind = PREFIXES.find(({ prefix, whole }) =>
      whole ? fullName === prefix : fullName.startsWith(prefix),
    );
    if (kind === undefined || REFUSED.test(fullName)) continue;
    const name = fullName.slice(kind.prefix.length);
    const bad = (!kind.whole && name === "") || name.length > MAX_NAME || name.includes("\0");
    if (bad || value.length > MAX_VALUE) {
      throw rootfsError(
        "ROOTFS_BAD_ENTRY",
        `extended attribute ${JSON.stringify(fullName.slice(0, MAX_NAME))} of ${value.length} bytes cannot be kept`,
      );
    }
    const key = `${kind.index}${name}\0${Buffer.from(value).toString("latin1")}`;
    list.push({ index: kind.index, name, value, key });
  }
  return list;
}

function entrySize({ name, value }: Attribute): number {
  return Math.ceil((erofs_xattr_entry.sizeof + name.length + value.length) / 4) * 4;
}

function writeEntry(buffer: BlockBuffer, at: number, attribute: Attribute): number {
  const { name, value, index } = attribute;
  buffer.view.setUint8(at + erofs_xattr_entry.e_name_len, name.length);
  buffer.view.setUint8(at + erofs_xattr_entry.e_name_index, index);
  buffer.view.setUint16(at + erofs_xattr_entry.e_value_size, value.length, true);
  buffer.text(at + erofs_xattr_entry.sizeof, name);
  buffer.bytes.set(value, at + erofs_xattr_entry.sizeof + name.length);
  return entrySize(attribute);
}
