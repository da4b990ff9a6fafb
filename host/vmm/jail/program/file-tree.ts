/** A mount namespace in which there is nothing but what is named. */

import { ERRNO } from "#linux/errno";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_PATH,
  O_WRONLY,
} from "#linux/fcntl";
import {
  MNT_DETACH,
  MOUNT_ATTR,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_MOVE,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "#linux/mount";
import { CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWUSER } from "#linux/sched";
import { attempt, bytesOf, CallFailure, call } from "../../../sys/quickjs/calls.ts";
import type { JailAccess, JailEntry } from "../settings.ts";

/** Where the new root stands until it is the root: a folder that every host has. */
const STAGE = "/tmp";

/** include/uapi/linux/mount.h */
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;

const ATTRIBUTES: Readonly<Record<Exclude<JailAccess, "inherited">, number>> = {
  read: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
  write: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
  device: MOUNT_ATTR_NOSUID,
};

/** What a host says that lets its users, or a root of few rights, make no namespaces. */
const NOT_HERE: readonly number[] = [ERRNO.EPERM, ERRNO.ENOSYS, ERRNO.ENOSPC, ERRNO.EINVAL];

/**
 * From now on the entries are all files that there are, and the process's own folder of /proc, each under its name on
 * the host.
 *
 * @returns whether that could be done; a host may refuse namespaces to this user
 * @throws CallFailure for an entry that is not there
 */
export function enterOwnTree(entries: readonly JailEntry[]): boolean {
  if (!enterNamespaces()) return false;
  call("all mounts to private", "mount", null, "/", null, MS_REC | MS_PRIVATE, null);
  const trees = entries.flatMap(({ path, access }) =>
    access === "inherited" ? [] : [cloneTree(path, ATTRIBUTES[access])],
  );
  trees.push(cloneTree("/proc/self", ATTRIBUTES.write));
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  call("of the new root", "mount", "dvm", STAGE, "tmpfs", flags, "size=1m,mode=755");
  for (const tree of trees) attach(tree);
  call(
    "of the new root to read-only",
    "mount",
    null,
    STAGE,
    null,
    MS_REMOUNT | MS_RDONLY | flags,
    "size=1m,mode=755",
  );
  becomeRoot();
  return true;
}

function enterNamespaces(): boolean {
  const user = attempt("geteuid");
  const group = attempt("getegid");
  const own = user === 0 ? 0 : CLONE_NEWUSER;
  const result = attempt("unshare", CLONE_NEWNS | CLONE_NEWIPC | own);
  if (result < 0) {
    if (NOT_HERE.includes(-result)) return false;
    throw new CallFailure("unshare", -result);
  }
  if (own !== 0) {
    // user_namespaces(7): a process without rights may map itself, once it has given up setgroups(2)
    writeText("/proc/self/setgroups", "deny");
    writeText("/proc/self/uid_map", `${user} ${user} 1`);
    writeText("/proc/self/gid_map", `${group} ${group} 1`);
  }
  return true;
}

interface Tree {
  readonly path: string;
  readonly fd: number;
  readonly isFolder: boolean;
}

/** A mount of its own of a file or a folder with all that is mounted beneath, attached to nothing yet. */
function cloneTree(path: string, attributeSet: number): Tree {
  const fd = call(
    path,
    "open_tree",
    AT_FDCWD,
    path,
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE,
  );
  const attributes = new DataView(new ArrayBuffer(MOUNT_ATTR.size));
  attributes.setBigUint64(MOUNT_ATTR.fields.attr_set.offset, BigInt(attributeSet), true);
  call(path, "mount_setattr", fd, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes, MOUNT_ATTR.size);
  return { path, fd, isFolder: isFolder(path) };
}

function isFolder(path: string): boolean {
  const fd = attempt("openat", AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd === -ERRNO.ENOTDIR) return false;
  if (fd < 0) throw new CallFailure(`openat ${path}`, -fd);
  attempt("close", fd);
  return true;
}

function attach({ path, fd, isFolder }: Tree): void {
  const folders = path.split("/").slice(1);
  const name = isFolder ? undefined : folders.pop();
  let at = STAGE;
  for (const folder of folders) {
    at += `/${folder}`;
    // one that another entry made, or brought along, is there already
    attempt("mkdir", at, 0o755);
  }
  if (name !== undefined) {
    at += `/${name}`;
    const file = attempt("openat", AT_FDCWD, at, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644);
    if (file >= 0) attempt("close", file);
  }
  call(path, "move_mount", fd, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
  attempt("close", fd);
}

/** The first root of a system, its initramfs, cannot be left by pivot_root(2); it is covered. */
function becomeRoot(): void {
  call(STAGE, "chdir", STAGE);
  if (attempt("pivot_root", ".", ".") === 0) {
    call("of the old root", "umount2", ".", MNT_DETACH);
  } else {
    call("of the new root to /", "mount", ".", "/", null, MS_MOVE, null);
    call("to the new root", "chroot", ".");
  }
  call("/", "chdir", "/");
}

function writeText(path: string, text: string): void {
  const fd = call(path, "openat", AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  const bytes = bytesOf(text);
  call(path, "write", fd, bytes, bytes.length);
  attempt("close", fd);
}
