/** FUSE operations on open files. What is read or written moves straight between the file and guest memory. */

import { SYS } from "../../../sys/system-call-numbers.ts";
import { O_CREAT, O_EXCL, O_NONBLOCK, O_PATH, O_TRUNC } from "./file-calls.ts";
import {
  FUSE_FSYNC_FDATASYNC,
  FUSE_OPEN_KILL_SUIDGID,
  FUSE_WRITE_KILL_SUIDGID,
  fuse_create_in,
  fuse_entry_out,
  fuse_fallocate_in,
  fuse_fsync_in,
  fuse_in_header,
  fuse_lseek_in,
  fuse_open_in,
  fuse_out_header,
  fuse_read_in,
  fuse_write_in,
  fuse_opcode as op,
} from "./fuse.ts";
import type { FuseMessage } from "./fuse-message.ts";
import { lookUp } from "./name-operations.ts";
import type { OperationTable } from "./operation-table.ts";
import { OPEN_FLAGS, type SharedFiles } from "./shared-files.ts";

const EEXIST = 17;

/** The most that one read or write moves, in `bytes`: FUSE_MAX_MAX_PAGES of Linux. */
export const TRANSFER_LIMIT = 1024 * 1024;

export const fileOperations: OperationTable = {
  [op.FUSE_OPEN]: open,
  [op.FUSE_CREATE]: create,
  [op.FUSE_READ]: read,
  [op.FUSE_WRITE]: write,
  [op.FUSE_FALLOCATE]: (files, message) => {
    files.writableNode(message.nodeId);
    return files.system.fallocate(
      files.handle(message.u64(fuse_fallocate_in.fh)),
      message.u32(fuse_fallocate_in.mode),
      message.offset(fuse_fallocate_in.offset),
      message.offset(fuse_fallocate_in.length),
    );
  },
  [op.FUSE_LSEEK]: seek,
  [op.FUSE_FSYNC]: sync,
  [op.FUSE_FSYNCDIR]: sync,
  [op.FUSE_SYNCFS]: syncAll,
  [op.FUSE_RELEASE]: release,
  [op.FUSE_RELEASEDIR]: release,
};

function open(files: SharedFiles, message: FuseMessage): number {
  const flags = message.u32(fuse_open_in.flags);
  const file = files.node(message.nodeId);
  const fd = files.reopen(file, flags);
  const kills = (message.u32(fuse_open_in.open_flags) & FUSE_OPEN_KILL_SUIDGID) !== 0;
  if (fd >= 0 && kills && (flags & O_TRUNC) !== 0) files.calls.killPrivileges(fd);
  return files.enterHandle(message, { fd, file });
}

/** What exists already is opened as a known file is, never by its name, for it may be anything. */
function create(files: SharedFiles, message: FuseMessage): number {
  const flags = message.u32(fuse_create_in.flags);
  const mode = message.u32(fuse_create_in.mode) & 0o7777;
  const name = message.name(fuse_create_in.size);
  const folder = files.writableNode(message.nodeId);
  const creation = (flags & OPEN_FLAGS) | O_CREAT | O_EXCL;
  const fd = files.calls.openIn(folder.fd, name, creation, mode);
  const isThere = fd === -EEXIST && (flags & O_EXCL) === 0;
  if (fd < 0 && !isThere) return fd;
  if (!isThere) files.give(fd, folder, message);
  const entered = isThere
    ? lookUp(files, message, name)
    : files.enter(message, { fd: files.calls.reopen(fd, O_PATH), parent: folder });
  if (entered < 0) {
    if (!isThere) files.system.close(fd);
    return entered;
  }
  const id = message.view(0, fuse_entry_out.size).getUint32(fuse_entry_out.nodeid, true);
  const file = files.node(id);
  const opened = isThere ? files.reopen(file, flags) : fd;
  const answered = files.enterHandle(message, { fd: opened, file }, fuse_entry_out.size);
  if (answered < 0) files.forget(id, 1); // the guest hears nothing of it
  return answered;
}

function read(files: SharedFiles, message: FuseMessage): number {
  const fd = files.handle(message.u64(fuse_read_in.fh));
  const offset = message.offset(fuse_read_in.offset);
  const { writable } = message.chain;
  const room = Math.max(writable.length - fuse_out_header.size, 0);
  const length = Math.min(message.u32(fuse_read_in["size.field"]), room, TRANSFER_LIMIT);
  writable.fill(files.vector, fuse_out_header.size, length);
  return files.system.preadv(fd, files.vector.address, files.vector.count, offset);
}

function write(files: SharedFiles, message: FuseMessage): number {
  files.writableNode(message.nodeId);
  const fd = files.handle(message.u64(fuse_write_in.fh));
  const offset = message.offset(fuse_write_in.offset);
  const start = fuse_in_header.size + fuse_write_in.size;
  const { readable } = message.chain;
  const room = Math.max(readable.length - start, 0);
  const length = Math.min(message.u32(fuse_write_in["size.field"]), room, TRANSFER_LIMIT);
  readable.fill(files.vector, start, length);
  const written = files.system.pwritev(fd, files.vector.address, files.vector.count, offset);
  if (written < 0) return written;
  const flags = message.u32(fuse_write_in.write_flags);
  if ((flags & FUSE_WRITE_KILL_SUIDGID) !== 0) files.calls.killPrivileges(fd);
  message.body(8).setUint32(0, written, true);
  return 8;
}

function seek(files: SharedFiles, message: FuseMessage): number {
  const fd = files.handle(message.u64(fuse_lseek_in.fh));
  const offset = message.offset(fuse_lseek_in.offset);
  const found = files.system.syscall(SYS.lseek, fd, offset, message.u32(fuse_lseek_in.whence));
  if (found < 0) return found;
  message.body(8).setBigUint64(0, BigInt(found), true);
  return 8;
}

function sync(files: SharedFiles, message: FuseMessage): number {
  const isDataOnly = (message.u32(fuse_fsync_in.fsync_flags) & FUSE_FSYNC_FDATASYNC) !== 0;
  const fd = files.handle(message.u64(fuse_fsync_in.fh));
  return files.system.syscall(isDataOnly ? SYS.fdatasync : SYS.fsync, fd);
}

/** syncfs(2) takes no descriptor of O_PATH. */
function syncAll(files: SharedFiles): number {
  for (const share of files.shares.filter(({ readOnly }) => !readOnly)) {
    const fd = files.calls.reopen(share.fd, O_NONBLOCK);
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
