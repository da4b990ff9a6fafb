/**
 * The system calls of shared folders. Files are descriptors; the only paths are single names in a folder, of which
 * no call follows a symbolic link, and `/proc/self/fd/N`, which is how Linux opens anew what a descriptor stands for.
 */

import * as fcntl from "#linux/fcntl";
import { RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } from "#linux/openat2";
import * as modes from "#linux/stat";
import { SYS } from "../../../sys/system-call-numbers.ts";
import { check, type HostAddress, type System } from "../../kvm/system.ts";

export const O_ACCMODE = 3;

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
    const flags = fcntl.O_PATH | fcntl.O_DIRECTORY;
    this.#descriptors = check("openat2", this.#open(0, path, { flags }));
  }

  /** Opens a name in a folder; what it is must not matter to `flags`, or be known. */
  openIn(parent: number, name: HostAddress, flags: number, mode = 0): number {
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return this.#open(parent, name, { flags: flags | fcntl.O_NOFOLLOW, mode, resolve });
  }

  /** Opens anew what a descriptor stands for. */
  reopen(fd: number, flags: number): number {
    return this.#open(this.#descriptors, this.#text(`${fd}`), { flags });
  }

  status(fd: number): number {
    const [flags, buffer] = [fcntl.AT_EMPTY_PATH, this.#scratch + STATX];
    return this.#system.syscall(SYS.statx, fd, this.#scratch, flags, STATX_BASIC_STATS, buffer);
  }

  statfs(fd: number): number {
    return this.#system.syscall(SYS.fstatfs, fd, this.#scratch + STATFS);
  }

  readlink(fd: number, buffer: number, length: number): number {
    return this.#system.syscall(SYS.readlinkat, fd, this.#scratch, buffer, length);
  }

  /** `group` and `user` of all ones stay as they are. */
  chown(fd: number, user: number, group: number): number {
    return this.#system.syscall(SYS.fchownat, fd, this.#scratch, user, group, fcntl.AT_EMPTY_PATH);
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
    const [folder, path] = [this.#descriptors, this.#text(`${fd}`)];
    return this.#system.syscall(SYS.linkat, folder, path, parent, name, fcntl.AT_SYMLINK_FOLLOW);
  }

  /** Takes the set-user and set-group bits, as writing by one without CAP_FSETID does. */
  killPrivileges(fd: number): void {
    if (this.status(fd) < 0) return;
    const mode = this.stat.getUint16(statx.mode, true);
    const bits = modes.S_ISUID | ((mode & modes.S_IXGRP) === 0 ? 0 : modes.S_ISGID);
    if ((mode & modes.S_IFMT) !== modes.S_IFREG || (mode & bits) === 0) return;
    this.#system.syscall(SYS.fchmod, fd, mode & ~bits & ~modes.S_IFMT);
  }

  #open(
    parent: number,
    path: number,
    how: { flags: number; mode?: number; resolve?: number },
  ): number {
    const { flags, mode = 0, resolve = 0 } = how;
    this.#view.setUint32(HOW + open_how.flags, (flags | fcntl.O_CLOEXEC) >>> 0, true);
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
