/**
 * What all operations on shared files work with. Its root is a folder that the shares are in by their names, and that
 * nothing else can be done to. Beneath, each file is a descriptor, and each step from a folder to a name in it is one
 * openat2(2) that stays beneath and follows no link.
 */

import { ERRNO } from "#linux/errno";
import * as fcntl from "#linux/fcntl";
import * as modes from "#linux/stat";
import { SYS } from "../../../sys/system-call-numbers.ts";
import { type HostAddress, type System, SystemCallError } from "../../kvm/system.ts";
import type { VmmShare } from "../../kvm/vmm-config.ts";
import { IoVector } from "../../memory/io-vector.ts";
import { FileCalls, O_ACCMODE, statx } from "./file-calls.ts";
import * as fuse from "./fuse.ts";
import { copy64, type FuseMessage } from "./fuse-message.ts";
import { type Inode, InodeTable, type SharedFile } from "./inode-table.ts";

/** How long the guest may rely on names and attributes, in `seconds`: what the host changes is seen after that. */
export const VALIDITY = 1;
/** Descriptors of known and of open files; the guest's own caches hold the former until it is short of memory. */
const DESCRIPTORS_LIMIT = 262_144;
/** Flags of the guest's open(2) that mean something to the host's file. */
export const OPEN_FLAGS = O_ACCMODE | fcntl.O_APPEND | fcntl.O_TRUNC | fcntl.O_DSYNC | fcntl.O_SYNC;
/** a user or group that is to stay as it is */
export const UNCHANGED = 0xffffffff;
/** who owns what belongs to nobody that the guest could be */
const NOBODY = 65534;

/** A file that the guest has open, and which one that is: what it says of it with each request counts for nothing. */
export interface OpenFile {
  readonly fd: number;
  readonly file: SharedFile;
}

const ROOT: SharedFile = { fd: -1, key: "root", type: modes.S_IFDIR, share: -1, readOnly: true };

export class SharedFiles {
  readonly system: System;
  readonly calls: FileCalls;
  readonly shares: readonly VmmShare[];
  readonly vector: IoVector;
  readonly #inodes: InodeTable;
  readonly #handles = new Map<number, OpenFile>();
  #nextHandle = 1;
  /** whom this process acts as; for anyone but root they are the guest's root */
  readonly #user: number;
  readonly #group: number;

  constructor(system: System, shares: readonly VmmShare[]) {
    this.system = system;
    this.calls = new FileCalls(system);
    this.shares = shares;
    this.vector = new IoVector(system);
    this.#inodes = new InodeTable(ROOT, (fd) => void system.close(fd));
    this.#user = system.syscall(SYS.geteuid);
    this.#group = system.syscall(SYS.getegid);
  }

  /** Forgets all that the guest knows. */
  reset(): void {
    for (const { fd } of this.#handles.values()) this.system.close(fd);
    this.#handles.clear();
    this.#inodes.clear();
  }

  // What the guest knows, by its numbers.

  node(id: number): Inode {
    const inode = this.#inodes.get(id);
    if (inode === undefined) throw new SystemCallError("node", ERRNO.ESTALE);
    return inode;
  }

  /** The same for one that is to be changed. */
  writableNode(id: number): Inode {
    const inode = this.node(id);
    if (inode.readOnly) throw new SystemCallError("node", ERRNO.EROFS);
    return inode;
  }

  openFile(handle: number): OpenFile {
    const open = this.#handles.get(handle);
    if (open === undefined) throw new SystemCallError("handle", ERRNO.EBADF);
    return open;
  }

  /** Descriptor of an open file. */
  handle(number: number): number {
    return this.openFile(number).fd;
  }

  forget(id: number, lookups: number): void {
    this.#inodes.forget(id, lookups);
  }

  release(number: number): void {
    this.system.close(this.handle(number));
    this.#handles.delete(number);
  }

  // Opening. The results are descriptors, or negated errnos.

  /** Finds a name in a folder. */
  find(folder: Inode, name: HostAddress, bytes: Uint8Array): { fd: number; parent: SharedFile } {
    if (folder.id !== fuse.FUSE_ROOT_ID) {
      return { fd: this.calls.openIn(folder.fd, name, fcntl.O_PATH), parent: folder };
    }
    const text = String.fromCharCode(...bytes);
    const share = this.shares.findIndex((each) => each.name === text);
    const { fd, readOnly } = this.shares[share] ?? { fd: -1, readOnly: true };
    const parent = { ...ROOT, share, readOnly };
    return { fd: share < 0 ? -ERRNO.ENOENT : this.calls.reopen(fd, fcntl.O_PATH), parent };
  }

  /** Opens a known file by the guest's flags. A pipe or a device is the guest's own business, never opened here. */
  reopen({ readOnly, type, fd }: Inode, flags: number): number {
    const isWriting = (flags & (O_ACCMODE | fcntl.O_TRUNC)) !== 0;
    if (readOnly && isWriting) return -ERRNO.EROFS;
    return type === modes.S_IFREG ? this.calls.reopen(fd, flags & OPEN_FLAGS) : -ERRNO.EACCES;
  }

  // What the guest is told. Descriptors that come in are ours from there on.

  /** Makes a file known and leaves its struct fuse_entry_out at `at` of the answer, whose length is the result. */
  enter(
    message: FuseMessage,
    { fd, parent, at = 0 }: { fd: number; parent: SharedFile; at?: number },
  ): number {
    if (fd < 0) return fd;
    const result = this.#isFull() ? -ERRNO.ENFILE : this.calls.status(fd);
    if (result < 0) {
      this.system.close(fd);
      return result;
    }
    const { stat } = this.calls;
    const words = [statx.dev_major, statx.dev_minor, statx.ino, statx.ino + 4];
    const { id } = this.#inodes.enter({
      fd,
      key: `${parent.share} ${words.map((word) => stat.getUint32(word, true)).join(" ")}`,
      type: stat.getUint16(statx.mode, true) & modes.S_IFMT,
      share: parent.share,
      readOnly: parent.readOnly,
    });
    const out = message.body(fuse.fuse_entry_out.size, at);
    out.setUint32(fuse.fuse_entry_out.nodeid, id, true);
    out.setUint32(fuse.fuse_entry_out.entry_valid, VALIDITY, true);
    out.setUint32(fuse.fuse_entry_out.attr_valid, VALIDITY, true);
    this.putAttributes(out, fuse.fuse_entry_out.attr);
    return fuse.fuse_entry_out.size;
  }

  /** Leaves the struct fuse_open_out of an open file at `at` of the answer, which ends there. */
  enterHandle(message: FuseMessage, { fd, file }: OpenFile, at = 0): number {
    if (fd < 0) return fd;
    if (this.#isFull()) {
      this.system.close(fd);
      return -ERRNO.ENFILE;
    }
    const handle = this.#nextHandle++;
    this.#handles.set(handle, { fd, file });
    message.body(fuse.fuse_open_out.size, at).setUint32(fuse.fuse_open_out.fh, handle, true);
    return at + fuse.fuse_open_out.size;
  }

  /** Turns the last struct statx into a struct fuse_attr. */
  putAttributes(out: DataView, at: number): void {
    const { stat } = this.calls;
    const put = (field: number, value: number): void =>
      out.setUint32(at + field, value >>> 0, true);
    copy64(stat, statx.ino, out, at + fuse.fuse_attr.ino);
    copy64(stat, statx.length, out, at + fuse.fuse_attr["size.field"]);
    copy64(stat, statx.blocks, out, at + fuse.fuse_attr.blocks);
    for (const time of ["atime", "mtime", "ctime"] as const) {
      copy64(stat, statx[time], out, at + fuse.fuse_attr[time]);
      put(fuse.fuse_attr[`${time}nsec`], stat.getUint32(statx[time] + 8, true));
    }
    put(fuse.fuse_attr.mode, stat.getUint16(statx.mode, true));
    put(fuse.fuse_attr.nlink, stat.getUint32(statx.nlink, true));
    put(fuse.fuse_attr.uid, shown(stat.getUint32(statx.uid, true), this.#user));
    put(fuse.fuse_attr.gid, shown(stat.getUint32(statx.gid, true), this.#group));
    const minor = stat.getUint32(statx.rdev_minor, true);
    const major = stat.getUint32(statx.rdev_major, true);
    put(fuse.fuse_attr.rdev, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)); // new_encode_dev of linux/kdev_t.h
    put(fuse.fuse_attr.blksize, stat.getUint32(statx.blksize, true));
  }

  // Owners.

  /** Gives a file that was just made to the guest's user; a set-group folder has given it its group already. */
  give(fd: number, folder: Inode, message: FuseMessage): void {
    if (this.#user !== 0 || this.calls.status(folder.fd) < 0) return;
    const inherits = (this.calls.stat.getUint16(statx.mode, true) & modes.S_ISGID) !== 0;
    const [user, group] = message.owner;
    this.calls.chown(fd, user, inherits ? UNCHANGED : group); // some file systems know no owners
  }

  /** chown(2) by the guest's numbers. */
  chown(fd: number, user: number, group: number): number {
    return this.calls.chown(fd, kept(user, this.#user), kept(group, this.#group));
  }

  #isFull(): boolean {
    return this.#inodes.size + this.#handles.size >= DESCRIPTORS_LIMIT;
  }
}

/** An owner as the guest sees it: for a server that is not root, its own files are those of the guest's root. */
function shown(owner: number, own: number): number {
  if (own === 0) return owner;
  return owner === own ? 0 : NOBODY;
}

/** The other way round. */
function kept(owner: number, own: number): number {
  return own !== 0 && owner === 0 ? own : owner;
}
