/**
 * Merges the layers of an image, bottom to top, into the one tree that a container sees, as unpacking them
 * one over the other would (OCI image spec 1.1, layer.md, "Applying Changesets").
 */

import type { LayerEntry } from "./entry.ts";
import { rootfsError } from "./errors.ts";
import { PathWalk } from "./path-walk.ts";
import { printable } from "./printable.ts";
import { type DirectoryNode, emptyFolder, type TreeNode } from "./tree.ts";
import { applyWhiteouts, isWhiteout } from "./whiteout.ts";

/** Longest name and path of a file, in `bytes` (`NAME_MAX`; `PATH_MAX` without its NUL; linux/limits.h). */
const NAME_MAX = 255;
const PATH_MAX = 4095;
/** Largest user or group id; the next one means "leave as it is" to chown(2). */
const MAX_ID = 0xffff_fffe;
/** Bits of a device number (`MINORBITS`, Linux 6.1 include/linux/kdev_t.h). */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;

/**
 * Merges layers into a tree.
 *
 * @throws ROOTFS_BAD_ENTRY for an entry that has no place in a tree, ROOTFS_TOO_LARGE beyond the limits
 */
export function mergeLayers(
  layers: readonly { readonly entries: readonly LayerEntry[] }[],
): DirectoryNode {
  const walk = new PathWalk(emptyFolder());
  for (const [index, layer] of layers.entries()) {
    applyWhiteouts(walk, layer.entries);
    for (const entry of layer.entries) {
      if (!isWhiteout(entry.path)) place(walk, entry, index);
    }
  }
  return walk.root;
}

function place(walk: PathWalk, entry: LayerEntry, layer: number): void {
  checkAttributes(entry);
  if (entry.path === "") {
    if (entry.type !== "directory") {
      throw rootfsError("ROOTFS_BAD_ENTRY", `layer entry makes the root a ${entry.type}`);
    }
    walk.root.attributes = entry;
    return;
  }
  const { parent, name } = locate(walk, entry.path);
  const existing = parent.children.get(name);
  if (existing?.type === "directory" && entry.type === "directory") {
    existing.attributes = entry;
    return;
  }
  // The old inode goes first: a link to itself, or to something inside the folder it replaces, has no target.
  parent.children.delete(name);
  if (existing?.type === "directory" || existing?.type === "symlink") walk.forget();
  if (existing === undefined) walk.count();
  parent.children.set(name, entry.type === "hardlink" ? linked(walk, entry) : made(entry, layer));
}

function locate(walk: PathWalk, path: string): { parent: DirectoryNode; name: string } {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (name === "" || name === "." || name === ".." || path.includes("\0")) {
    throw rootfsError("ROOTFS_BAD_ENTRY", `layer entry has a bad name, ${printable(path)}`);
  }
  if (path.length > PATH_MAX || path.split("/").some((part) => part.length > NAME_MAX)) {
    throw rootfsError("ROOTFS_BAD_ENTRY", `layer entry has too long a name, ${printable(path)}`);
  }
  return { parent: walk.makeFolder(slash < 0 ? "" : path.slice(0, slash)), name };
}

/** A hard link is another name of the inode that its target names by now, in this layer or a lower one. */
function linked(walk: PathWalk, entry: LayerEntry & { readonly type: "hardlink" }): TreeNode {
  const slash = entry.target.lastIndexOf("/");
  const folder = walk.findFolder(slash < 0 ? "" : entry.target.slice(0, slash));
  const node = folder?.children.get(entry.target.slice(slash + 1));
  if (node === undefined || node.type === "directory") {
    const why = node === undefined ? "which does not exist" : "which is a directory";
    throw rootfsError(
      "ROOTFS_BAD_ENTRY",
      `hard link ${printable(entry.path)} leads to ${printable(entry.target)}, ${why}`,
    );
  }
  return node;
}

function made(entry: Exclude<LayerEntry, { type: "hardlink" }>, layer: number): TreeNode {
  switch (entry.type) {
    case "file":
      return { type: "file", attributes: entry, size: entry.size, data: entry.data, layer };
    case "directory":
      return emptyFolder(entry);
    case "symlink":
      return { type: "symlink", attributes: entry, target: checkedTarget(entry) };
    case "character":
    case "block":
      if (
        !(
          entry.major >= 0 &&
          entry.major <= MAX_MAJOR &&
          entry.minor >= 0 &&
          entry.minor <= MAX_MINOR
        )
      ) {
        const number = `${entry.major}:${entry.minor}`;
        throw rootfsError(
          "ROOTFS_BAD_ENTRY",
          `device ${printable(entry.path)} has the impossible number ${number}`,
        );
      }
      return { type: entry.type, attributes: entry, major: entry.major, minor: entry.minor };
    case "fifo":
    case "socket":
      return { type: entry.type, attributes: entry };
  }
}

function checkedTarget(entry: LayerEntry & { readonly type: "symlink" }): string {
  const { target } = entry;
  if (target === "" || target.length > PATH_MAX || target.includes("\0")) {
    throw rootfsError(
      "ROOTFS_BAD_ENTRY",
      `symbolic link ${printable(entry.path)} has the bad target ${printable(target)}`,
    );
  }
  return target;
}

function checkAttributes(entry: LayerEntry): void {
  if (!(entry.uid >= 0 && entry.uid <= MAX_ID && entry.gid >= 0 && entry.gid <= MAX_ID)) {
    throw rootfsError(
      "ROOTFS_BAD_ENTRY",
      `layer entry ${printable(entry.path)} has the impossible owner ${entry.uid}:${entry.gid}`,
    );
  }
}
