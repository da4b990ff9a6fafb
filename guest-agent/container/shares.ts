/** What the host shares with the machine, over virtio-fs. */

import { major, minor } from "../linux/stat.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { checkSerial, unmountIfAny } from "./disks.ts";
import { containerError } from "./errors.ts";
import { ensureFolder, writeSetting } from "./file-access.ts";

/** Tag of the file system that has all shares in its root, each under its name. */
const SHARE_TAG = "dvm";
/**
 * What the kernel reads ahead, in `KiB`: as much as one request can bring (FUSE_MAX_MAX_PAGES, fs/fuse/fuse_i.h, Linux
 * 6.1). Each request is a way to the host and back; the kernel's own 128 KiB make eight times as many.
 */
const READ_AHEAD = 1024;

export interface Shares {
  /** the container's own folder for mounts */
  readonly folder: string;
  /** names of the shares that it mounts */
  readonly names: readonly string[];
}

/**
 * Mounts them below the container's folder, and teaches `undo` to take that back. A host that has a device for each
 * names it by the share.
 *
 * @returns where each is by its name
 * @throws ContainerError for a name that the host does not share
 */
export function mountShares(
  sys: Syscalls,
  { folder, names }: Shares,
  undo: { push(step: () => void): void },
): Map<string, string> {
  for (const name of names) checkSerial(name);
  if (names.length === 0) return new Map();
  const all = `${folder}/shares`;
  if (mountTag(sys, { tag: SHARE_TAG, target: all }, undo)) {
    return new Map(names.map((name) => [name, `${all}/${name}`]));
  }
  return new Map(
    names.map((name) => {
      const target = `${folder}/share-${name}`;
      if (mountTag(sys, { tag: name, target }, undo)) return [name, target];
      throw containerError("CONTAINER_SPEC", `the host shares nothing as ${name}`);
    }),
  );
}

/** @returns whether there is a device with the tag */
function mountTag(
  sys: Syscalls,
  { tag, target }: { readonly tag: string; readonly target: string },
  undo: { push(step: () => void): void },
): boolean {
  ensureFolder(sys, target);
  undo.push(() => sys.rmdir(target));
  try {
    sys.mount({ source: tag, target, type: "virtiofs" });
  } catch (error) {
    // virtio_fs_get_tree, fs/fuse/virtio_fs.c: "instance with tag not found"
    if (isSyscallError(error, "EINVAL")) return false;
    throw error;
  }
  undo.push(() => unmountIfAny(sys, target));
  readFurtherAhead(sys, target);
  return true;
}

/** Of the file system that is mounted there: it has a folder by its device's number. */
function readFurtherAhead(sys: Syscalls, target: string): void {
  const { dev } = sys.stat(target);
  writeSetting(sys, `/sys/class/bdi/${major(dev)}:${minor(dev)}/read_ahead_kb`, `${READ_AHEAD}`);
}
