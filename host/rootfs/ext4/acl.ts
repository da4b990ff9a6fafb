/** Access control lists, from the form of their attribute to the shorter one that ext4 keeps (fs/ext4/acl.h, Linux 6.1). */

import { rootfsError } from "../errors.ts";

/** uapi/linux/posix_acl_xattr.h: version, then tag, permissions and number of each entry. */
const XATTR_VERSION = 2;
const XATTR_HEADER = 4;
const XATTR_ENTRY = 8;
/** EXT4_ACL_VERSION */
const DISK_VERSION = 1;
/** ACL_USER and ACL_GROUP of uapi/linux/posix_acl.h: the entries that have a number on disk. */
const NUMBERED = new Set([0x02, 0x08]);

/** @throws ROOTFS_BAD_ENTRY for a list that is none */
export function posixAcl(value: Uint8Array): Uint8Array {
  const from = Buffer.from(value);
  const isList =
    from.length >= XATTR_HEADER &&
    (from.length - XATTR_HEADER) % XATTR_ENTRY === 0 &&
    from.readUInt32LE(0) === XATTR_VERSION;
  if (!isList) throw rootfsError("ROOTFS_BAD_ENTRY", "a file has an access control list in pieces");
  const version = Buffer.alloc(4);
  version.writeUInt32LE(DISK_VERSION);
  const parts: Buffer[] = [version];
  for (let at = XATTR_HEADER; at < from.length; at += XATTR_ENTRY) {
    const isNumbered = NUMBERED.has(from.readUInt16LE(at));
    parts.push(from.subarray(at, at + (isNumbered ? XATTR_ENTRY : 4)));
  }
  return Buffer.concat(parts);
}
