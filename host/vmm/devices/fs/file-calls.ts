/**
 * The system calls of shared folders. Files are descriptors; the only paths are single names in a folder, of which
 * no call follows a symbolic link, and `/proc/self/fd/N`, which is how Linux opens anew what a descriptor stands for.
 */

import { SYS } from "../../../sys/system-call-numbers.ts";
import { check, type HostAddress, type System } from "../../kvm/system.ts";

// asm-generic/fcntl.h, linux/openat2.h, linux/fcntl.h
export const O_ACCMODE = 3;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;
export const O_DIRECTORY = 0o200000;
const O_NOFOLLOW = 0o400000;
const O_CLOEXEC = 0o2000000;
export const O_SYNC = 0o4010000;
export const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 2;
const RESOLVE_NO_SYMLINKS = 4;
const RESOLVE_BENEATH = 8;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_EMPTY_PATH = 0x1000;

/** struct open_how, linux/openat2.h */
const open_how = { size: 24, flags: 0, mode: 8, resolve: 16 } as const;
/** struct statx, linux/stat.h; a time is seconds (64 bits) and nanoseconds (32 bits) */
export const statx = {
  size: 256,
  blksize: 4,
  nlink: 16,
  uid: 20,
  gid: 24,
  mode: 28,
  ino: 32,
  length: 40,
  blocks: 48,
  atime: 64,
  ctime: 96,
  mtime: 112,
  rdev_major: 128,
  rdev_minor: 132,
  dev_major: 136,
  dev_minor: 140,
} as const;
const STATX_BASIC_STATS = 0x7ff;

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;

// What lies where in the scratch page; its first byte stays zero, which is the empty path.
const HOW = 16;
const NUMBER = 64;
const TIMES = 128;
const STATX = 256;
const STATFS = 512;
const SCRATCH_SIZE = 4096;

/** Results follow the kernel's convention, see `System`. */
export class FileCalls {
  /** what `status` found, a struct statx */
  readonly stat: DataView;
  /** what `statfs` found, a struct statfs */
  readonly fileSystem: DataView;
  readonly #system: System;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #scratch: HostAddress;
  /** the folder /proc/self/fd */
  readonly #descriptors: number;

  /** Opens what it needs, so it comes before the sandbox. */
  constructor(system: System) {
    this.#system = system;
    const { address, bytes } = system.map(SCRATCH_SIZE);
    this.#scratch = address;
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(bytes);
    this.stat = new DataView(bytes, STATX, statx.size);
    this.fileSystem = new DataView(bytes, STATFS, 120);
    const path = this.#text("/proc/self/fd");
    const flags = O_PATH | O_DIRECTORY;
    this.#descriptors = check(
      "openat2",
      this.#open({ parent: 0, path, flags, mode: 0, resolve: 0 }),
    );
  }

  /** Opens a name in a folder; what it is must not matter to `flags`, or be known. */
  openIn(parent: number, name: HostAddress, flags: number, mode = 0): number {
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return this.#open({ parent, path: name, flags: flags | O_NOFOLLOW, mode, resolve });
  }

  /** Opens anew what a descriptor stands for. */
  reopen(fd: number, flags: number): number {
    return this.#open({
      parent: this.#descriptors,
      path: this.#text(`${fd}`),
      flags,
      mode: 0,
      resolve: 0,
    });
  }

  status(fd: number): number {
    const buffer = this.#scratch + STATX;
    return this.#system.syscall(
      SYS.statx,
      fd,
      this.#scratch,
      AT_EMPTY_PATH,
      STATX_BASIC_STATS,
      buffer,
    );
  }

  statfs(fd: number): number {
    return this.#system.syscall(SYS.fstatfs, fd, this.#scratch + STATFS);
  }

  readlink(fd: number, buffer: number, length: number): number {
    return this.#system.syscall(SYS.readlinkat, fd, this.#scratch, buffer, length);
  }

  /** `group` and `user` of all ones stay as they are. */
  chown(fd: number, user: number, group: number): number {
    return this.#system.syscall(SYS.fchownat, fd, this.#scratch, user, group, AT_EMPTY_PATH);
  }

  chmod(fd: number, mode: number): number {
    return this.#system.syscall(SYS.fchmodat, this.#descriptors, this.#text(`${fd}`), mode);
  }

  /** The times are seconds and nanoseconds, of which those of linux/stat.h stand for now and for unchanged. */
  setTimes(fd: number, times: readonly (readonly [bigint, number])[]): number {
    for (const [index, [seconds, nanoseconds]] of times.entries()) {
      this.#view.setBigUint64(TIMES + 16 * index, seconds, true);
      this.#view.setBigUint64(TIMES + 16 * index + 8, BigInt(nanoseconds), true);
    }
    const path = this.#text(`${fd}`);
    return this.#system.syscall(SYS.utimensat, this.#descriptors, path, this.#scratch + TIMES, 0);
  }

  link(fd: number, parent: number, name: HostAddress): number {
    const path = this.#text(`${fd}`);
    return this.#system.syscall(
      SYS.linkat,
      this.#descriptors,
      path,
      parent,
      name,
      AT_SYMLINK_FOLLOW,
    );
  }

  /** Takes the set-user and set-group bits, as writing by one without CAP_FSETID does. */
  killPrivileges(fd: number): void {
    if (this.status(fd) < 0) return;
    const mode = this.stat.getUint16(statx.mode, true);
    const bits = S_ISUID | ((mode & S_IXGRP) === 0 ? 0 : S_ISGID);
    if ((mode & S_IFMT) !== S_IFREG || (mode & bits) === 0) return;
    this.#system.syscall(SYS.fchmod, fd, mode & ~bits & ~S_IFMT);
  }

  #open(options: {
    parent: number;
    path: number;
    flags: number;
    mode: number;
    resolve: number;
  }): number {
    const { parent, path, flags, mode, resolve } = options;
    this.#view.setUint32(HOW + open_how.flags, (flags | O_CLOEXEC) >>> 0, true);
    this.#view.setUint32(HOW + open_how.mode, mode, true);
    this.#view.setUint32(HOW + open_how.resolve, resolve, true);
    return this.#system.syscall(SYS.openat2, parent, path, this.#scratch + HOW, open_how.size);
  }

  /** Where a short text of our own, NUL-terminated, can be found until the next one. */
  #text(text: string): number {
    for (let at = 0; at < text.length; at++) this.#bytes[NUMBER + at] = text.charCodeAt(at);
    this.#bytes[NUMBER + text.length] = 0;
    return this.#scratch + NUMBER;
  }
}
