/**
 * Paths of an image, which may lead anywhere: resolved inside the container's root whatever symbolic links they meet.
 */

import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
} from "../linux/fcntl.ts";
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } from "../linux/openat2.ts";
import { S_IFDIR, S_IFMT } from "../linux/stat.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";

/** What a missing path becomes. */
export type Kind = "folder" | "file";

/** most symbolic links that are followed while a missing path is made (linux/namei.h MAXSYMLINKS) */
const MAX_LINKS = 40;

/** The absolute path without `.`, `..` and doubled slashes, as if no part of it were a symbolic link. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Opens what is at `path` below `root` (O_PATH), without following a symbolic link when `strict`. */
export function openInside(sys: Syscalls, root: Fd, path: string, strict = false): Fd {
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (strict ? RESOLVE_NO_SYMLINKS : 0);
  // Relative to the root by its descriptor, as `/` would be under RESOLVE_IN_ROOT.
  return sys.openat2(root, path.slice(1) || ".", { flags: O_PATH | O_CLOEXEC, resolve });
}

/**
 * As `openInside`; makes what is missing, parents included, as root's with mode 0755 or 0644. A symbolic link to
 * nothing is followed, and what it names is made.
 *
 * @throws ContainerError `CONTAINER_SPEC` where there is a file for a folder or the reverse
 */
export function ensureInside(sys: Syscalls, root: Fd, path: string, kind: Kind): Fd {
  return ensure({ sys, root, kind, links: 0 }, cleanPath(path));
}

interface Making {
  readonly sys: Syscalls;
  readonly root: Fd;
  readonly kind: Kind;
  /** symbolic links followed so far */
  readonly links: number;
}

function ensure(making: Making, path: string): Fd {
  const { sys, root, kind } = making;
  try {
    return checked(making, openInside(sys, root, path), path);
  } catch (error) {
    if (!isSyscallError(error, "ENOENT") || path === "/") throw error;
  }
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const parent = ensure({ ...making, kind: "folder" }, path.slice(0, slash) || "/");
  try {
    makeOne(sys, parent, name, kind);
    return checked(making, openInside(sys, root, path), path);
  } catch (error) {
    if (!isSyscallError(error, "EEXIST") || making.links >= MAX_LINKS) throw error;
    const target = sys.readlinkat(parent, name);
    const next = target.startsWith("/") ? target : `${path.slice(0, slash)}/${target}`;
    return ensure({ ...making, links: making.links + 1 }, cleanPath(next));
  } finally {
    sys.close(parent);
  }
}

function makeOne(sys: Syscalls, parent: Fd, name: string, kind: Kind): void {
  if (kind === "folder") sys.mkdirat(parent, name, 0o755);
  else
    sys.close(
      sys.openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644),
    );
}

function checked({ sys, kind }: Making, fd: Fd, path: string): Fd {
  const isFolder = (sys.fstat(fd).mode & S_IFMT) === S_IFDIR;
  if (isFolder === (kind === "folder")) return fd;
  sys.close(fd);
  throw containerError(
    "CONTAINER_SPEC",
    `${path}: ${isFolder ? "is a directory" : "not a directory"}`,
  );
}

/** Opens a folder of the agent's own as a root to resolve in. */
export function openRoot(sys: Syscalls, path: string): Fd {
  return sys.open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/** A path by which mount(2) reaches exactly what `fd` holds, in the guest's own /proc. */
export function pathOf(fd: Fd): string {
  return `/proc/self/fd/${fd}`;
}
