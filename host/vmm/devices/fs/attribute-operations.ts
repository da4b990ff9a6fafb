/** FUSE operations on what files are: attributes, extended attributes, the file system that holds them. */

import { ERRNO } from "#linux/errno";
import * as fcntl from "#linux/fcntl";
import * as modes from "#linux/stat";
import { SYS } from "../../../sys/system-call-numbers.ts";
import { check, type HostAddress, SystemCallError } from "../../kvm/system.ts";
import * as fuse from "./fuse.ts";
import { copy64, type FuseMessage, REPLY_LIMIT } from "./fuse-message.ts";
import type { OperationTable } from "./operation-table.ts";
import { type SharedFiles, UNCHANGED, VALIDITY } from "./shared-files.ts";

// linux/stat.h
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

const ROOT_MODE = modes.S_IFDIR | 0o555;

export const attributeOperations: OperationTable = {
  [fuse.fuse_opcode.FUSE_GETATTR]: (files, message) => attributes(files, message),
  [fuse.fuse_opcode.FUSE_SETATTR]: setAttributes,
  [fuse.fuse_opcode.FUSE_READLINK]: (files, message) =>
    files.calls.readlink(files.node(message.nodeId).fd, message.reply, 4096),
  [fuse.fuse_opcode.FUSE_STATFS]: statfs,
  [fuse.fuse_opcode.FUSE_GETXATTR]: (files, message) => {
    const name = attributeName(message, fuse.fuse_getxattr_in.size);
    return answerValue(files, message, ERRNO.ENODATA, (fd, size) =>
      files.system.syscall(SYS.fgetxattr, fd, name, message.reply, size),
    );
  },
  [fuse.fuse_opcode.FUSE_LISTXATTR]: (files, message) =>
    answerValue(files, message, 0, (fd, size) =>
      files.system.syscall(SYS.flistxattr, fd, message.reply, size),
    ),
  [fuse.fuse_opcode.FUSE_SETXATTR]: (files, message) => {
    files.writableNode(message.nodeId);
    const name = attributeName(message, fuse.FUSE_COMPAT_SETXATTR_IN_SIZE);
    const size = message.u32(fuse.fuse_setxattr_in["size.field"]);
    const value = message.data(message.after(name), size);
    const flags = message.u32(fuse.fuse_setxattr_in.flags);
    return onFile(files, message, ERRNO.EOPNOTSUPP, (fd) =>
      files.system.syscall(SYS.fsetxattr, fd, name, value, size, flags),
    );
  },
  [fuse.fuse_opcode.FUSE_REMOVEXATTR]: (files, message) => {
    files.writableNode(message.nodeId);
    const name = attributeName(message, 0);
    return onFile(files, message, ERRNO.EOPNOTSUPP, (fd) =>
      files.system.syscall(SYS.fremovexattr, fd, name),
    );
  },
};

function attributes(files: SharedFiles, message: FuseMessage): number {
  const { id, fd } = files.node(message.nodeId);
  const out = message.body(fuse.fuse_attr_out.size);
  out.setUint32(fuse.fuse_attr_out.attr_valid, VALIDITY, true);
  if (id === fuse.FUSE_ROOT_ID) {
    out.setUint32(fuse.fuse_attr_out.attr + fuse.fuse_attr.ino, fuse.FUSE_ROOT_ID, true);
    out.setUint32(fuse.fuse_attr_out.attr + fuse.fuse_attr.mode, ROOT_MODE, true);
    out.setUint32(fuse.fuse_attr_out.attr + fuse.fuse_attr.nlink, 2, true);
    return fuse.fuse_attr_out.size;
  }
  const result = files.calls.status(fd);
  if (result < 0) return result;
  files.putAttributes(out, fuse.fuse_attr_out.attr);
  return fuse.fuse_attr_out.size;
}

/** In an order in which none undoes what came before: a new owner or length takes the set-user bit. */
function setAttributes(files: SharedFiles, message: FuseMessage): number {
  const { fd } = files.writableNode(message.nodeId);
  const valid = message.u32(fuse.fuse_setattr_in.valid);
  const has = (bits: number): boolean => (valid & bits) !== 0;
  if (has(fuse.FATTR_UID | fuse.FATTR_GID)) {
    const user = has(fuse.FATTR_UID) ? message.u32(fuse.fuse_setattr_in.uid) : UNCHANGED;
    const group = has(fuse.FATTR_GID) ? message.u32(fuse.fuse_setattr_in.gid) : UNCHANGED;
    check("fchownat", files.chown(fd, user, group));
  }
  if (has(fuse.FATTR_SIZE)) truncate(files, message, valid);
  if (has(fuse.FATTR_MODE)) {
    check("fchmodat", files.calls.chmod(fd, message.u32(fuse.fuse_setattr_in.mode) & 0o7777));
  }
  if (has(fuse.FATTR_ATIME | fuse.FATTR_MTIME)) {
    const time = (bit: number, now: number, name: "atime" | "mtime") => {
      const given = has(now) ? UTIME_NOW : message.u32(fuse.fuse_setattr_in[`${name}nsec`]);
      return [message.big64(fuse.fuse_setattr_in[name]), has(bit) ? given : UTIME_OMIT] as const;
    };
    const accessed = time(fuse.FATTR_ATIME, fuse.FATTR_ATIME_NOW, "atime");
    const modified = time(fuse.FATTR_MTIME, fuse.FATTR_MTIME_NOW, "mtime");
    check("utimensat", files.calls.setTimes(fd, [accessed, modified]));
  }
  return attributes(files, message);
}

function truncate(files: SharedFiles, message: FuseMessage, valid: number): void {
  const length = message.offset(fuse.fuse_setattr_in["size.field"]);
  const isOpen = (valid & fuse.FATTR_FH) !== 0;
  const fd = isOpen
    ? files.handle(message.u64(fuse.fuse_setattr_in.fh))
    : check("openat2", files.reopen(files.node(message.nodeId), fcntl.O_RDWR));
  const result = files.system.ftruncate(fd, length);
  // the handle may be another node's than the one that may be changed
  if (result >= 0 && (valid & fuse.FATTR_KILL_SUIDGID) !== 0) files.calls.killPrivileges(fd);
  if (!isOpen) files.system.close(fd);
  check("ftruncate", result);
}

/** The root has the figures of the first share. */
function statfs(files: SharedFiles, message: FuseMessage): number {
  const { id, fd } = files.node(message.nodeId);
  const result = files.calls.statfs(id === fuse.FUSE_ROOT_ID ? (files.shares[0]?.fd ?? -1) : fd);
  if (result < 0) return result;
  const { fileSystem } = files.calls;
  const out = message.body(80); // struct fuse_kstatfs; the fields of struct statfs are blocks to files free, 64 bits each
  for (let field = 0; field < 5; field++) copy64(fileSystem, 16 + 8 * field, out, 8 * field);
  const [blockSize, nameLength, fragmentSize] = [8, 64, 72];
  for (const [index, from] of [blockSize, nameLength, fragmentSize].entries()) {
    out.setUint32(40 + 4 * index, fileSystem.getUint32(from, true), true);
  }
  return 80;
}

/** Name of an extended attribute: one of users, for the others mean something to the host. */
function attributeName(message: FuseMessage, at: number): HostAddress {
  const name = message.text(at);
  if (!String.fromCharCode(...message.bytesOf(name).subarray(0, 256)).startsWith("user.")) {
    throw new SystemCallError("xattr", ERRNO.EOPNOTSUPP);
  }
  return name;
}

/** A value, or for a size of 0 its length. */
function answerValue(
  files: SharedFiles,
  message: FuseMessage,
  errno: number,
  get: (fd: number, size: number) => number,
): number {
  const size = Math.min(message.u32(fuse.fuse_getxattr_in["size.field"]), REPLY_LIMIT);
  const result = onFile(files, message, errno, (fd) => get(fd, size));
  if (result < 0 || size > 0) return result;
  message.body(8).setUint32(0, result, true);
  return 8;
}

/** Opens a file or folder for `use`; anything else has no attributes of users, which is told by `errno`. */
function onFile(
  files: SharedFiles,
  message: FuseMessage,
  errno: number,
  use: (fd: number) => number,
): number {
  const { type, fd } = files.node(message.nodeId);
  if (fd < 0 || (type !== modes.S_IFREG && type !== modes.S_IFDIR)) return errno === 0 ? 0 : -errno;
  const opened = check("openat2", files.calls.reopen(fd, fcntl.O_NONBLOCK));
  const result = use(opened);
  files.system.close(opened);
  return result;
}
