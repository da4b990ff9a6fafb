/** Mounts in a container's root, on exactly the file or folder that the destination names inside it. */

import { MS_BIND, MS_REC, MS_REMOUNT } from "../linux/mount.ts";
import { S_IFDIR, S_IFMT } from "../linux/stat.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { containerError } from "./errors.ts";
import { ensureInside, type Kind, openInside, openRoot, pathOf } from "./inside-root.ts";
import type { MountFlags } from "./mount-options.ts";

/** One mount in a container's root. */
export interface PlannedMount extends MountFlags {
  /** clean absolute path in the container */
  readonly destination: string;
  /** file system type; absent: a bind mount of `source` */
  readonly type: string | undefined;
  /** device, tag, or the path that is bound as the agent sees it */
  readonly source: string;
  /** clean path of what is bound in `source`, whose links lead nowhere else; absent: all of it */
  readonly subpath?: string;
}

/** A container's root that is open. */
export interface OpenRoot {
  readonly path: string;
  readonly fd: Fd;
}

/** A plain bind mount. */
export function bindMount(destination: string, source: string): PlannedMount {
  return { destination, source, type: undefined, flags: MS_BIND, propagation: 0, data: "" };
}

/**
 * Mounts one of the kernel's views, on a folder of the image that must be no symbolic link to another.
 *
 * As below, descriptors are left to execve(2) to close: each call counts in a container's start.
 */
export function mountView(sys: Syscalls, root: OpenRoot, mount: PlannedMount): void {
  const { source, type = "", flags, data, destination } = mount;
  sys.mount({ source, target: pathOf(openView(sys, root.fd, destination)), type, flags, data });
}

/**
 * Mounts below the root; a missing destination is made.
 *
 * @param kind what the destination is; absent: as the source is
 * @throws ContainerError when a symbolic link of the image leads into /proc
 */
export function mountInside(
  sys: Syscalls,
  root: OpenRoot,
  mount: PlannedMount & { readonly kind?: Kind },
): void {
  const { type, flags, data, destination, propagation } = mount;
  const source = sourceOf(sys, mount);
  const kind = mount.kind ?? (type !== undefined || isFolder(sys, source) ? "folder" : "file");
  const takesMode =
    type === "tmpfs" && !/(^|,)mode=/.test(data) && isThere(sys, root.fd, destination);
  const target = ensureInside(sys, root.fd, destination, kind);
  refuseProc(sys, root, { target, destination });
  if (type === undefined) {
    sys.mount({ source, target: pathOf(target), flags: flags & (MS_BIND | MS_REC) });
  } else {
    const mode = takesMode ? ownMode(sys, target) : "";
    const options = [data, mode].filter((each) => each !== "").join(",");
    sys.mount({ source, target: pathOf(target), type, flags, data: options });
  }
  // A bind mount takes its flags, and any mount its propagation, in a further call on the mount itself.
  const rest = type === undefined ? flags & ~(MS_BIND | MS_REC) : 0;
  if (rest === 0 && propagation === 0) return;
  const mounted = openInside(sys, root.fd, destination);
  if (rest !== 0)
    sys.mount({ source: "", target: pathOf(mounted), flags: MS_REMOUNT | MS_BIND | rest });
  if (propagation !== 0) sys.mount({ source: "", target: pathOf(mounted), flags: propagation });
}

function sourceOf(sys: Syscalls, { source, subpath, destination }: PlannedMount): string {
  if (subpath === undefined) return source;
  try {
    return pathOf(openInside(sys, openRoot(sys, source), subpath));
  } catch (error) {
    if (!isSyscallError(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
    throw containerError("CONTAINER_SPEC", `${destination}: no ${subpath} in what is mounted`);
  }
}

function openView(sys: Syscalls, root: Fd, destination: string): Fd {
  try {
    return openInside(sys, root, destination, true);
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return ensureInside(sys, root, destination, "folder");
    if (!isSyscallError(error, "ELOOP")) throw error;
    throw containerError("CONTAINER_SETUP", `${destination} of the image is a symbolic link`);
  }
}

/** Whatever a symbolic link says, nothing may cover the container's view of its processes (CVE-2023-27561). */
function refuseProc(
  sys: Syscalls,
  root: OpenRoot,
  { target, destination }: { readonly target: Fd; readonly destination: string },
): void {
  const inside = sys.readlink(pathOf(target)).slice(root.path.length);
  if (!/^\/proc(\/|$)/.test(inside)) return;
  throw containerError("CONTAINER_SPEC", `invalid mount path: ${destination} leads to ${inside}`);
}

function isFolder(sys: Syscalls, path: string): boolean {
  return (sys.stat(path).mode & S_IFMT) === S_IFDIR;
}

function isThere(sys: Syscalls, root: Fd, destination: string): boolean {
  try {
    sys.close(openInside(sys, root, destination));
    return true;
  } catch (error) {
    if (!isSyscallError(error, "ENOENT")) throw error;
    return false;
  }
}

/** A tmpfs takes over the mode of the folder that it covers, as Docker's do; where there was none, all may write. */
function ownMode(sys: Syscalls, target: Fd): string {
  return `mode=${(sys.fstat(target).mode & 0o7777).toString(8)}`;
}
