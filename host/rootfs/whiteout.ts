/**
 * Whiteouts: how a layer says what of the layers beneath it is gone
 * (OCI image spec 1.1, layer.md, "Whiteouts" and "Opaque Whiteout").
 *
 * They speak of lower layers only, so all of a layer's whiteouts are resolved on the lower tree and applied
 * before any other entry of that layer, wherever they stand in the tar stream.
 */

import type { LayerEntry } from "./entry.ts";
import { rootfsError } from "./errors.ts";
import type { PathWalk } from "./path-walk.ts";
import { printable } from "./printable.ts";
import type { DirectoryNode } from "./tree.ts";

const WHITEOUT_PREFIX = ".wh.";
/** AUFS's own files (`.wh..wh.plnk`, `.wh..wh.aufs`), in images made by old Dockers: they are no content. */
const WHITEOUT_META_PREFIX = ".wh..wh.";
const OPAQUE_NAME = ".wh..wh..opq";

/** Whether an entry is a whiteout or a leftover of AUFS rather than content. */
export function isWhiteout(path: string): boolean {
  if (!path.includes(WHITEOUT_PREFIX)) return false;
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (
    name.startsWith(WHITEOUT_PREFIX) ||
    path.startsWith(WHITEOUT_META_PREFIX) ||
    path.includes(`/${WHITEOUT_META_PREFIX}`)
  );
}

/** Removes from the tree what the layer's whiteouts name. */
export function applyWhiteouts(walk: PathWalk, entries: readonly LayerEntry[]): void {
  const whiteouts = entries.filter((entry) => isWhiteout(entry.path));
  if (whiteouts.length === 0) return;
  const ownFolders = new Set<string>();
  for (const entry of entries) {
    if (entry.type === "directory") ownFolders.add(entry.path);
  }
  // Resolve all before removing any: a removed link must not change what another whiteout means.
  const removals = whiteouts.map((entry) => resolve(walk, entry.path, ownFolders));
  for (const removal of removals) {
    if (removal === undefined) continue;
    if (removal.name === undefined) removal.folder.children.clear();
    else removal.folder.children.delete(removal.name);
  }
  walk.forget();
}

interface Removal {
  readonly folder: DirectoryNode;
  /** name to remove; without it, the whole content */
  readonly name: string | undefined;
}

function resolve(
  walk: PathWalk,
  path: string,
  ownFolders: ReadonlySet<string>,
): Removal | undefined {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const opaque = name === OPAQUE_NAME;
  if (!opaque && (name.startsWith(WHITEOUT_META_PREFIX) || !name.startsWith(WHITEOUT_PREFIX))) {
    return undefined;
  }
  const hidden = name.slice(WHITEOUT_PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw rootfsError("ROOTFS_BAD_ENTRY", `whiteout ${printable(path)} names no file`);
  }
  const parent = slash < 0 ? "" : path.slice(0, slash);
  if (replacesLink(walk.root, parent, ownFolders)) return undefined;
  const folder = walk.findFolder(parent);
  return folder && { folder, name: opaque ? undefined : hidden };
}

/**
 * Whether the layer itself puts a folder where the lower tree has a symbolic link on the way to `path`: what
 * the link leads to is then not what the whiteout means (a link `/lib` replaced by an opaque folder `/lib`).
 */
function replacesLink(root: DirectoryNode, path: string, ownFolders: ReadonlySet<string>): boolean {
  let folder = root;
  for (let end = 0; end < path.length; ) {
    const next = path.indexOf("/", end);
    const stop = next < 0 ? path.length : next;
    const child = folder.children.get(path.slice(end, stop));
    if (child?.type === "symlink") return ownFolders.has(path.slice(0, stop));
    if (child?.type !== "directory") return false;
    folder = child;
    end = stop + 1;
  }
  return false;
}
