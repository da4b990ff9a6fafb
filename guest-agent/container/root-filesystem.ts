/**
 * A container's root: an overlay of the read-only image and of what takes the writes, or in place of it a disk or a folder
 * of the host that has all of the image in itself.
 */

import { MS_BIND, MS_NODEV, MS_NOSUID, MS_REC } from "../linux/mount.ts";
import type { ContainerSpec } from "../protocol/container-spec.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { type Disks, unmountIfAny } from "./disks.ts";
import { containerError } from "./errors.ts";
import { ensureFolder } from "./file-access.ts";
import { cleanPath, openInside, openRoot, pathOf } from "./inside-root.ts";
import { asMappedRoot, MAPPED_ROOT, mountMapped } from "./user-namespace.ts";

export type Rootfs = ContainerSpec["rootfs"];

/** A mounted root and what it stands on. */
export interface MountedRoot {
  /** where it is mounted */
  readonly path: string;
  /** folder that takes the writes, with the owners of the image */
  readonly upper: string;
  /** whether that is all of the root, and not only what differs from the image */
  readonly isWhole: boolean;
  /** Where the image is mounted, which may happen now. @throws ContainerError where there is none */
  image(): string;
  /** Unmounts the root and gives its disks back; may be called again. */
  unmount(): void;
}

export interface RootOptions {
  readonly folder: string;
  readonly rootfs: Rootfs;
  /** where the agent mounted what the host shares */
  readonly shares: ReadonlyMap<string, string>;
  /** the container's, when it has one of its own */
  readonly userNamespace: Fd | undefined;
}

/** What is being mounted: the machine's parts, and how to take back what was done. */
interface Work {
  readonly sys: Syscalls;
  readonly disks: Disks;
  readonly undo: (() => void)[];
}

type Layers = Pick<MountedRoot, "upper" | "isWhole" | "image">;

/**
 * Mounts the root below `folder`, which exists.
 *
 * On failure nothing stays mounted.
 */
export function mountRoot(sys: Syscalls, disks: Disks, options: RootOptions): MountedRoot {
  const undo: (() => void)[] = [];
  const unmount = (): void => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) step();
  };
  try {
    const path = `${options.folder}/root`;
    ensureFolder(sys, path);
    const { upper } = options.rootfs;
    const work = { sys, disks, undo };
    const layers =
      upper.kind === "whole" || upper.kind === "share"
        ? mountWhole(work, options, { path, upper })
        : mountOverlay(work, options, { path, upper });
    undo.push(() => unmountIfAny(sys, path));
    return { path, ...layers, unmount };
  } catch (error) {
    unmount();
    throw error;
  }
}

type OverlayUpper = Extract<Rootfs["upper"], { kind: "disk" | "tmpfs" }>;
type WholeUpper = Extract<Rootfs["upper"], { kind: "whole" | "share" }>;

function mountOverlay(
  work: Work,
  { folder, rootfs, userNamespace }: RootOptions,
  { path, upper: kind }: { readonly path: string; readonly upper: OverlayUpper },
): Layers {
  const { sys } = work;
  const image = acquireImage(work, rootfs);
  const writable = mountWritable(work, folder, kind);
  const upper = prepareUpper(sys, image, writable);
  const overlay = (below: string, above: string): void => {
    const data = `lowerdir=${below},upperdir=${above}/upper,workdir=${above}/work`;
    sys.mount({ source: "overlay", target: path, type: "overlay", data });
  };
  if (userNamespace === undefined) {
    overlay(image, writable);
  } else {
    const layers = { folder, image, writable, isDisk: kind.kind === "disk" };
    const mapped = mapLayers(work, layers, userNamespace);
    asMappedRoot(sys, "mount the root", () => overlay(mapped.image, mapped.writable));
  }
  return { upper, isWhole: false, image: () => image };
}

/** The image is not needed for the container to run: it is mounted when somebody asks what has changed. */
function mountWhole(
  work: Work,
  { rootfs, shares, userNamespace }: RootOptions,
  { path, upper: kind }: { readonly path: string; readonly upper: WholeUpper },
): Layers {
  const { sys } = work;
  const upper = kind.kind === "whole" ? wholeDisk(work, kind) : shares.get(kind.name);
  if (upper === undefined) throw containerError("CONTAINER_SPEC", "the root is shared by nobody");
  if (userNamespace === undefined) {
    sys.mount({ source: upper, target: path, flags: MS_BIND | MS_REC });
  } else if (kind.kind === "whole") {
    mountMapped(sys, { from: upper, to: path, userNamespace });
  } else {
    throw containerError(
      "CONTAINER_SPEC",
      "a folder of the host as root cannot have a private user namespace: virtio-fs maps no owners",
    );
  }
  let image: string | undefined;
  return {
    upper,
    isWhole: true,
    image: () => {
      image ??= acquireImage(work, rootfs);
      return image;
    },
  };
}

/** No link of the disk leads out of it. @returns the folder's path */
function wholeDisk(
  { sys, disks, undo }: Work,
  { serial, folder }: Extract<WholeUpper, { kind: "whole" }>,
): string {
  const disk = disks.acquire({ serial, type: "ext4" });
  undo.push(() => disks.release(serial));
  const name = cleanPath(folder);
  const root = openRoot(sys, disk);
  try {
    const fd = openInside(sys, root, name, true);
    const path = sys.readlink(pathOf(fd));
    sys.close(fd);
    return path;
  } finally {
    sys.close(root);
  }
}

function acquireImage({ disks, undo }: Work, { imageSerial }: Rootfs): string {
  if (imageSerial === "") {
    throw containerError("CONTAINER_STATE", "the container's root is made of no image");
  }
  const image = disks.acquire({ serial: imageSerial, type: "erofs" });
  undo.push(() => disks.release(imageSerial));
  return image;
}

/** Where the writes go: a folder of an ext4 disk that outlives the container, or memory. */
function mountWritable({ sys, disks, undo }: Work, folder: string, upper: OverlayUpper): string {
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
  { sys, undo }: Pick<Work, "sys" | "undo">,
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
