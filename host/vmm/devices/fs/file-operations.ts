/** FUSE operations on open files. What is read or written moves straight between the file and guest memory. */

import { ERRNO } from "#linux/errno";
import * as fcntl from "#linux/fcntl";
import { SYS } from "../../../sys/system-call-numbers.ts";
import * as fuse from "./fuse.ts";
import type { FuseMessage } from "./fuse-message.ts";
import { lookUp } from "./name-operations.ts";
import type { OperationTable } from "./operation-table.ts";
import { OPEN_FLAGS, type SharedFiles } from "./shared-files.ts";

/** The most that one read or write moves, in `bytes`: FUSE_MAX_MAX_PAGES of Linux. */
export const TRANSFER_LIMIT = 1024 * 1024;

export const fileOperations: OperationTable = {
  [fuse.fuse_opcode.FUSE_OPEN]: open,
  [fuse.fuse_opcode.FUSE_CREATE]: create,
  [fuse.fuse_opcode.FUSE_READ]: read,
  [fuse.fuse_opcode.FUSE_WRITE]: write,
  [fuse.fuse_opcode.FUSE_FALLOCATE]: (files, message) => {
    files.writableNode(message.nodeId);
    return files.system.fallocate(
      files.handle(message.u64(fuse.fuse_fallocate_in.fh)),
      message.u32(fuse.fuse_fallocate_in.mode),
      message.offset(fuse.fuse_fallocate_in.offset),
      message.offset(fuse.fuse_fallocate_in.length),
    );
  },
  [fuse.fuse_opcode.FUSE_LSEEK]: seek,
  [fuse.fuse_opcode.FUSE_FSYNC]: sync,
  [fuse.fuse_opcode.FUSE_FSYNCDIR]: sync,
  [fuse.fuse_opcode.FUSE_SYNCFS]: syncAll,
  [fuse.fuse_opcode.FUSE_RELEASE]: release,
  [fuse.fuse_opcode.FUSE_RELEASEDIR]: release,
};

function open(files: SharedFiles, message: FuseMessage): number {
  const flags = message.u32(fuse.fuse_open_in.flags);
  const file = files.node(message.nodeId);
  const fd = files.reopen(file, flags);
  const kills = (message.u32(fuse.fuse_open_in.open_flags) & fuse.FUSE_OPEN_KILL_SUIDGID) !== 0;
  if (fd >= 0 && kills && (flags & fcntl.O_TRUNC) !== 0) files.calls.killPrivileges(fd);
  return files.enterHandle(message, { fd, file });
}

/** What exists already is opened as a known file is, never by its name, for it may be anything. */
function create(files: SharedFiles, message: FuseMessage): number {
  const flags = message.u32(fuse.fuse_create_in.flags);
  const mode = message.u32(fuse.fuse_create_in.mode) & 0o7777;
  const name = message.name(fuse.fuse_create_in.size);
  const folder = files.writableNode(message.nodeId);
  const creation = (flags & OPEN_FLAGS) | fcntl.O_CREAT | fcntl.O_EXCL;
  const fd = files.calls.openIn(folder.fd, name, creation, mode);
  const isThere = fd === -ERRNO.EEXIST && (flags & fcntl.O_EXCL) === 0;
  if (fd < 0 && !isThere) return fd;
  if (!isThere) files.give(fd, folder, message);
  const entered = isThere
    ? lookUp(files, message, name)
    : files.enter(message, { fd: files.calls.reopen(fd, fcntl.O_PATH), parent: folder });
  if (entered < 0) {
    if (!isThere) files.system.close(fd);
    return entered;
  }
  const id = message.view(0, fuse.fuse_entry_out.size).getUint32(fuse.fuse_entry_out.nodeid, true);
  const file = files.node(id);
  const opened = isThere ? files.reopen(file, flags) : fd;
  const answered = files.enterHandle(message, { fd: opened, file }, fuse.fuse_entry_out.size);
  if (answered < 0) files.forget(id, 1); // the guest hears nothing of it
  return answered;
}

function read(files: SharedFiles, message: FuseMessage): number {
  const fd = files.handle(message.u64(fuse.fuse_read_in.fh));
  const offset = message.offset(fuse.fuse_read_in.offset);
  const { writable } = message.chain;
  const room = Math.max(writable.length - fuse.fuse_out_header.size, 0);
  const length = Math.min(message.u32(fuse.fuse_read_in["size.field"]), room, TRANSFER_LIMIT);
  writable.fill(files.vector, fuse.fuse_out_header.size, length);
  return files.system.preadv(fd, files.vector.address, files.vector.count, offset);
}

function write(files: SharedFiles, message: FuseMessage): number {
  files.writableNode(message.nodeId);
  const fd = files.handle(message.u64(fuse.fuse_write_in.fh));
  const offset = message.offset(fuse.fuse_write_in.offset);
  const start = fuse.fuse_in_header.size + fuse.fuse_write_in.size;
  const { readable } = message.chain;
  const room = Math.max(readable.length - start, 0);
  const length = Math.min(message.u32(fuse.fuse_write_in["size.field"]), room, TRANSFER_LIMIT);
  readable.fill(files.vector, start, length);
  const written = files.system.pwritev(fd, files.vector.address, files.vector.count, offset);
  if (written < 0) return written;
  const flags = message.u32(fuse.fuse_write_in.write_flags);
  if ((flags & fuse.FUSE_WRITE_KILL_SUIDGID) !== 0) files.calls.killPrivileges(fd);
  message.body(8).setUint32(0, written, true);
  return 8;
}

function seek(files: SharedFiles, message: FuseMessage): number {
  const fd = files.handle(message.u64(fuse.fuse_lseek_in.fh));
  const offset = message.offset(fuse.fuse_lseek_in.offset);
  const found = files.system.syscall(SYS.lseek, fd, offset, message.u32(fuse.fuse_lseek_in.whence));
  if (found < 0) return found;
  message.body(8).setBigUint64(0, BigInt(found), true);
  return 8;
}

function sync(files: SharedFiles, message: FuseMessage): number {
  const isDataOnly =
    (message.u32(fuse.fuse_fsync_in.fsync_flags) & fuse.FUSE_FSYNC_FDATASYNC) !== 0;
  const fd = files.handle(message.u64(fuse.fuse_fsync_in.fh));
  return files.system.syscall(isDataOnly ? SYS.fdatasync : SYS.fsync, fd);
}

/** syncfs(2) takes no descriptor of O_PATH. */
function syncAll(files: SharedFiles): number {
  for (const share of files.shares.filter(({ readOnly }) => !readOnly)) {
    const fd = files.calls.reopen(share.fd, fcntl.O_NONBLOCK);
    if (fd < 0) return fd;
    files.system.syscall(SYS.syncfs, fd);
    files.system.close(fd);
  }
  return 0;
}

function release(files: SharedFiles, message: FuseMessage): number {
  files.release(message.u64(0));
  return 0;
}
