/** Files by path and descriptor, and waiting for them, by the kernel. */

import { LINUX_DIRENT64 } from "../linux/dirent.ts";
import { ERRNO, errnoName } from "../linux/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../linux/fcntl.ts";
import { OPEN_HOW } from "../linux/openat2.ts";
import { POLLFD } from "../linux/poll.ts";
import { STAT } from "../linux/stat.ts";
import { type CallName, type Kernel, Struct } from "./kernel.ts";
import {
  type DirectoryEntry,
  type Fd,
  type FileCalls,
  isSyscallError,
  type OpenHow,
  type PollFd,
  type Stat,
  SyscallError,
} from "./syscalls.ts";

/** longest target of a symbolic link, in `bytes` (PATH_MAX) */
const MAX_PATH = 4096;
/** largest extended attribute, in `bytes` (XATTR_SIZE_MAX) */
const MAX_XATTR = 65_536;
const DIRENT_BUFFER = 32_768;

export function kernelFileCalls(kernel: Kernel): FileCalls {
  return {
    open: (path, flags, mode = 0) => kernel.about(path, "openat", AT_FDCWD, path, flags, mode),
    openat: (dirfd, path, flags, mode = 0) =>
      kernel.about(path, "openat", dirfd, path, flags, mode),
    openat2: (dirfd, path, how) => openat2(kernel, dirfd, path, how),
    close: (fd) => void kernel.call("close", fd),
    close_range: (first, last, flags) => void kernel.call("close_range", first, last, flags),
    read: (fd, buffer) => kernel.call("read", fd, buffer, buffer.length),
    write: (fd, bytes) => kernel.call("write", fd, bytes, bytes.length),
    writeInPieces: (fd, bytes, piece) => writeInPieces(kernel, { fd, bytes, piece }),
    lseek: (fd, offset, whence) => kernel.call("lseek", fd, offset, whence),
    ftruncate: (fd, length) => void kernel.call("ftruncate", fd, length),
    fsync: (fd) => void kernel.call("fsync", fd),
    pipe2: (flags) => {
      const ends = new Int32Array(2);
      kernel.call("pipe2", ends, flags);
      return { reader: ends[0] ?? -1, writer: ends[1] ?? -1 };
    },
    dup3: (from, to, flags) => kernel.call("dup3", from, to, flags),
    fcntl: (fd, command, argument) => kernel.call("fcntl", fd, command, argument),
    stat: (path) => stat(kernel, path, "stat", path),
    lstat: (path) => stat(kernel, path, "lstat", path),
    fstat: (fd) => stat(kernel, "", "fstat", fd),
    getdents64: (fd) => getdents64(kernel, fd),
    readlink: (path) => readlinkat(kernel, AT_FDCWD, path),
    readlinkat: (dirfd, path) => readlinkat(kernel, dirfd, path),
    mkdir: (path, mode) => void kernel.about(path, "mkdir", path, mode),
    mkdirat: (dirfd, path, mode) => void kernel.about(path, "mkdirat", dirfd, path, mode),
    mknod: (path, mode, device) => void kernel.about(path, "mknod", path, mode, device),
    symlink: (target, path) => void kernel.about(path, "symlink", target, path),
    link: (from, to) => void kernel.about(to, "link", from, to),
    rename: (from, to) => void kernel.about(from, "rename", from, to),
    unlink: (path) => void kernel.about(path, "unlink", path),
    rmdir: (path) => void kernel.about(path, "rmdir", path),
    chmod: (path, mode) => void kernel.about(path, "chmod", path, mode),
    fchmod: (fd, mode) => void kernel.call("fchmod", fd, mode),
    chown: (path, uid, gid) => void kernel.about(path, "chown", path, uid, gid),
    lchown: (path, uid, gid) => void kernel.about(path, "lchown", path, uid, gid),
    fchown: (fd, uid, gid) => void kernel.call("fchown", fd, uid, gid),
    utimensat: (path, time) => utimensat(kernel, path, time),
    setxattr: (path, name, value, flags) =>
      void kernel.about(path, "setxattr", path, name, value, value.length, flags),
    getxattr: (path, name) => {
      const value = new Uint8Array(MAX_XATTR);
      return value.slice(0, kernel.about(path, "getxattr", path, name, value, value.length));
    },
    poll: (fds, timeout) => poll(kernel, fds, timeout),
  };
}

function openat2(kernel: Kernel, dirfd: Fd, path: string, how: OpenHow): Fd {
  const args = new Struct(OPEN_HOW)
    .set("flags", how.flags)
    .set("mode", how.mode ?? 0)
    .set("resolve", how.resolve ?? 0);
  return kernel.about(path, "openat2", dirfd, path, args.bytes, args.bytes.length);
}

/** Two struct timespec, access and change: seconds at 0 and 16 (linux/time_types.h __kernel_timespec). */
function utimensat(kernel: Kernel, path: string, time: number): void {
  const times = new Uint8Array(32);
  const view = new DataView(times.buffer);
  for (const at of [0, 16]) view.setBigInt64(at, BigInt(time), true);
  kernel.about(path, "utimensat", AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

function stat(kernel: Kernel, subject: string, call: CallName, file: string | Fd): Stat {
  const found = new Struct(STAT);
  kernel.about(subject, call, file, found.bytes);
  return {
    dev: found.get("st_dev"),
    ino: found.get("st_ino"),
    mode: found.get("st_mode"),
    nlink: found.get("st_nlink"),
    uid: found.get("st_uid"),
    gid: found.get("st_gid"),
    rdev: found.get("st_rdev"),
    size: found.get("st_size"),
    mtime: found.get("st_mtime"),
    ctime: found.get("st_ctime"),
  };
}

function getdents64(kernel: Kernel, fd: Fd): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const buffer = new Uint8Array(DIRENT_BUFFER);
  const view = new DataView(buffer.buffer);
  const { d_reclen, d_type, d_name } = LINUX_DIRENT64.fields;
  for (;;) {
    const filled = kernel.call("getdents64", fd, buffer, buffer.length);
    if (filled === 0) return entries;
    for (let at = 0; at < filled; at += view.getUint16(at + d_reclen.offset, true)) {
      const start = at + d_name.offset;
      const name = kernel.decode(buffer.subarray(start, buffer.indexOf(0, start)));
      if (name !== "." && name !== "..") {
        entries.push({ name, type: view.getUint8(at + d_type.offset) });
      }
    }
  }
}

function readlinkat(kernel: Kernel, dirfd: Fd, path: string): string {
  const target = new Uint8Array(MAX_PATH);
  const length = kernel.about(path, "readlinkat", dirfd, path, target, target.length);
  if (length === target.length) {
    throw new SyscallError("readlinkat", ERRNO.ENAMETOOLONG, errnoName(ERRNO.ENAMETOOLONG), path);
  }
  return kernel.decode(target.subarray(0, length));
}

/** Pieces of one call: all of the longest frame, in pieces of 32 KiB. */
const MAX_VECTORS = 33;
const WORD = 0x1_0000_0000;

/** Pieces from an address on, as struct iovec (linux/uio.h): base at 0 and length at 8 of each 16 bytes. */
interface Vectors {
  /** four words of 32 bits for each */
  readonly words: Int32Array;
  /** what they are of at most, in `bytes` */
  readonly most: number;
}

/** By address: the few buffers that output goes out of come again and again. */
const vectorsAt = new Map<number, Vectors>();
const MOST_KEPT = 8;

function writeInPieces(
  kernel: Kernel,
  { fd, bytes, piece }: { readonly fd: Fd; readonly bytes: Uint8Array; readonly piece: number },
): number {
  if (bytes.length <= piece) return kernel.call("write", fd, bytes, bytes.length);
  const { words, most } = keptVectors(kernel.address(bytes), piece);
  const length = Math.min(bytes.length, most);
  const rest = length % piece;
  const count = (length - rest) / piece;
  if (rest === 0) return kernel.call("writev", fd, words, count);
  const last = 4 * count + 2;
  words[last] = rest;
  try {
    return kernel.call("writev", fd, words, count + 1);
  } finally {
    words[last] = piece;
  }
}

function keptVectors(address: number, piece: number): Vectors {
  const kept = vectorsAt.get(address);
  if (kept?.words[2] === piece) return kept;
  if (vectorsAt.size >= MOST_KEPT) vectorsAt.clear();
  const made = vectorsFrom(address, piece);
  vectorsAt.set(address, made);
  return made;
}

/** Integers of 32 bits are what QuickJS counts with fastest: an address's upper half is worked out once for all. */
function vectorsFrom(address: number, piece: number): Vectors {
  const words = new Int32Array(4 * MAX_VECTORS);
  const high = Math.floor(address / WORD);
  const low = address - high * WORD;
  const start = low | 0;
  for (let word = 0, at = 0; word < words.length; word += 4, at += piece) {
    words[word] = (start + at) | 0;
    words[word + 1] = high;
    words[word + 2] = piece;
  }
  // what lies across a border of 4 GiB goes in two calls
  return { words, most: Math.min(WORD - low, MAX_VECTORS * piece) | 0 };
}

/** What the last call was about, in memory: a loop asks for the same again and again. */
let polled: readonly PollFd[] = [];
let pollArray = new Uint8Array(0);
let pollWords = new Uint16Array(pollArray.buffer);

function poll(kernel: Kernel, fds: readonly PollFd[], timeout = -1): number[] {
  if (fds !== polled) fillPollArray(fds);
  let left = waitFor(kernel, fds.length, timeout);
  const found: number[] = [];
  for (let word = REVENTS; left > 0; word += POLL_WORDS) {
    const revents = pollWords[word] ?? 0;
    found.push(revents);
    if (revents !== 0) left--;
  }
  return found;
}

const REVENTS = POLLFD.fields.revents.offset / 2;
const POLL_WORDS = POLLFD.size / 2;

function fillPollArray(fds: readonly PollFd[]): void {
  const { fd, events } = POLLFD.fields;
  if (pollArray.length < fds.length * POLLFD.size) {
    pollArray = new Uint8Array(fds.length * POLLFD.size);
    pollWords = new Uint16Array(pollArray.buffer);
  }
  const view = new DataView(pollArray.buffer);
  for (const [index, one] of fds.entries()) {
    view.setInt32(index * POLLFD.size + fd.offset, one.fd, true);
    view.setInt16(index * POLLFD.size + events.offset, one.events, true);
  }
  polled = fds;
}

/** @returns how many are ready */
function waitFor(kernel: Kernel, count: number, timeout: number): number {
  for (;;) {
    try {
      return kernel.call("poll", pollArray, count, timeout);
    } catch (error) {
      // A stop and continue of the process interrupts poll even when no signal has a handler (signal(7)).
      if (!isSyscallError(error, "EINTR")) throw error;
    }
  }
}
