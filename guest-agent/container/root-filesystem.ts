/** A container's root: the read-only image below, what takes the writes above, joined by overlayfs. */

import { MS_NODEV, MS_NOSUID } from "../linux/mount.ts";
import type { ContainerSpec } from "../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { type Disks, unmountIfAny } from "./disks.ts";
import { ensureFolder } from "./file-access.ts";
import { asMappedRoot, MAPPED_ROOT, mountMapped } from "./user-namespace.ts";

export type Rootfs = ContainerSpec["rootfs"];

/** A mounted root and what it stands on. */
export interface MountedRoot {
  /** where the overlay is mounted */
  readonly path: string;
  /** folder that takes the writes, and where the image is mounted */
  readonly upper: string;
  readonly image: string;
  /** Unmounts the root and gives its disks back; may be called again. */
  unmount(): void;
}

export interface RootOptions {
  readonly folder: string;
  readonly rootfs: Rootfs;
  /** the container's, when it has one of its own */
  readonly userNamespace: Fd | undefined;
}

/**
 * Mounts the root below `folder`, which exists.
 *
 * On failure nothing stays mounted.
 */
export function mountRoot(
  sys: Syscalls,
  disks: Disks,
  { folder, rootfs, userNamespace }: RootOptions,
): MountedRoot {
  const undo: (() => void)[] = [];
  const unmount = (): void => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) step();
  };
  try {
    const image = disks.acquire({ serial: rootfs.imageSerial, type: "erofs" });
    undo.push(() => disks.release(rootfs.imageSerial));
    const writable = mountWritable({ sys, disks, undo }, folder, rootfs.upper);
    const upper = prepareUpper(sys, image, writable);
    const path = `${folder}/root`;
    ensureFolder(sys, path);
    const overlay = (below: string, above: string): void => {
      const data = `lowerdir=${below},upperdir=${above}/upper,workdir=${above}/work`;
      sys.mount({ source: "overlay", target: path, type: "overlay", data });
    };
    if (userNamespace === undefined) {
      overlay(image, writable);
    } else {
      const layers = { folder, image, writable, isDisk: rootfs.upper.kind === "disk" };
      const mapped = mapLayers({ sys, undo }, layers, userNamespace);
      asMappedRoot(sys, "mount the root", () => overlay(mapped.image, mapped.writable));
    }
    undo.push(() => unmountIfAny(sys, path));
    return { path, upper, image, unmount };
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
function prepareUpper(sys: Syscalls, image: string, writable: string): string {
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
  return upper;
}

/**
 * The layers as the container's users own them. On disk the owners stay as they are in the image; memory has them
 * mapped, as tmpfs mounts can be before Linux 6.3 in no other way.
 */
function mapLayers(
  { sys, undo }: { readonly sys: Syscalls; readonly undo: (() => void)[] },
  layers: {
    readonly folder: string;
    readonly image: string;
    readonly writable: string;
    readonly isDisk: boolean;
  },
  userNamespace: Fd,
): { image: string; writable: string } {
  const map = (from: string, name: string): string => {
    const to = `${layers.folder}/${name}`;
    ensureFolder(sys, to);
    mountMapped(sys, { from, to, userNamespace });
    undo.push(() => unmountIfAny(sys, to));
    return to;
  };
  const image = map(layers.image, "image");
  if (layers.isDisk) return { image, writable: map(layers.writable, "writable") };
  const { uid, gid } = sys.stat(layers.image);
  sys.chown(`${layers.writable}/upper`, MAPPED_ROOT + uid, MAPPED_ROOT + gid);
  return { image, writable: layers.writable };
}
