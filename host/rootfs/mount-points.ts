/**
 * What the agent mounts on in every container: where the image lacks it, the root disk has it, as Docker's init layer
 * does. Made in the container instead, it would be a write to the overlay at each start, and a change in its diff.
 */

import { type DirectoryNode, emptyFolder, IMPLIED_FOLDER, type TreeNode } from "./tree.ts";

const FOLDERS = ["dev", "proc", "sys", "etc"];
/** Below /etc. */
const FILES = ["hostname", "hosts", "resolv.conf"];

/** Adds what is missing; whatever the image has at such a path stays, be it what it may. */
export function addMountPoints(root: DirectoryNode): void {
  for (const name of FOLDERS) addIfMissing(root, name, emptyFolder());
  const etc = root.children.get("etc");
  if (etc?.type !== "directory") return;
  const attributes = { ...IMPLIED_FOLDER, mode: 0o644 };
  for (const name of FILES) {
    addIfMissing(etc, name, { type: "file", attributes, size: 0, data: [], layer: 0 });
  }
}

function addIfMissing(folder: DirectoryNode, name: string, node: TreeNode): void {
  if (!folder.children.has(name)) folder.children.set(name, node);
}
