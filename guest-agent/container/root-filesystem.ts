/** A container's root: the read-only image below, what takes the writes above, joined by overlayfs. */

import { MS_NODEV, MS_NOSUID } from "../linux/mount.ts";
import type { ContainerSpec } from "../protocol/container-spec.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { type Disks, unmountIfAny } from "./disks.ts";
import { ensureFolder } from "./file-access.ts";

export type Rootfs = ContainerSpec["rootfs"];

/** A mounted root and what it stands on. */
export interface MountedRoot {
  /** where the overlay is mounted */
  readonly path: string;
  /** Unmounts the root and gives its disks back; may be called again. */
  unmount(): void;
}

/**
 * Mounts the root below `folder`, which exists.
 *
 * On failure nothing stays mounted.
 */
export function mountRoot(
  sys: Syscalls,
  disks: Disks,
  { folder, rootfs }: { readonly folder: string; readonly rootfs: Rootfs },
): MountedRoot {
  const undo: (() => void)[] = [];
  const unmount = (): void => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) step();
  };
  try {
    const image = disks.acquire({ serial: rootfs.imageSerial, type: "erofs" });
    undo.push(() => disks.release(rootfs.imageSerial));
    const writable = mountWritable({ sys, disks, undo }, folder, rootfs.upper);
    const { upper, work } = prepareUpper(sys, image, writable);
    const path = `${folder}/root`;
    ensureFolder(sys, path);
    const data = `lowerdir=${image},upperdir=${upper},workdir=${work}`;
    sys.mount({ source: "overlay", target: path, type: "overlay", data });
    undo.push(() => unmountIfAny(sys, path));
    return { path, unmount };
  } catch (error) {
    unmount();
    throw error;
  }
}

/** Where the writes go: a folder of an ext4 disk that outlives the container, or memory. */
function mountWritable(
  {
    sys,
    disks,
    undo,
  }: { readonly sys: Syscalls; readonly disks: Disks; readonly undo: (() => void)[] },
  folder: string,
  upper: Rootfs["upper"],
): string {
  if (upper.kind === "disk") {
    const path = disks.acquire({ serial: upper.serial, type: "ext4" });
    undo.push(() => disks.release(upper.serial));
    return path;
  }
  const path = `${folder}/writable`;
  ensureFolder(sys, path);
  const data = upper.size === 0 ? "mode=755" : `mode=755,size=${upper.size}`;
  sys.mount({ source: "tmpfs", target: path, type: "tmpfs", flags: MS_NOSUID | MS_NODEV, data });
  undo.push(() => unmountIfAny(sys, path));
  return path;
}

/** The overlay's root has the owner and mode of its upper folder: those of the image's root. */
function prepareUpper(
  sys: Syscalls,
  image: string,
  writable: string,
): { upper: string; work: string } {
  const upper = `${writable}/upper`;
  const work = `${writable}/work`;
  ensureFolder(sys, work, 0o700);
  try {
    sys.mkdir(upper, 0o755);
    const { mode, uid, gid } = sys.stat(image);
    sys.chown(upper, uid, gid);
    sys.chmod(upper, mode & 0o7777);
  } catch (error) {
    if (!isSyscallError(error, "EEXIST")) throw error;
  }
  return { upper, work };
}
