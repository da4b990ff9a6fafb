/**
 * What the agent mounts on in every container, and what programs tell a container of Docker's by: where the image lacks
 * it, the root disk has it, as Docker's init layer does (moby daemon/initlayer/setup_unix.go). Made in the container instead, it would be a write to the overlay at each start, and a change in its diff.
 */

import { type DirectoryNode, emptyFolder, IMPLIED_FOLDER, type TreeNode } from "./tree.ts";

const FOLDERS = ["dev", "proc", "sys", "etc"];
/** Below /etc. */
const FILES = ["hostname", "hosts", "resolv.conf"];

/** By which some programs know that they are in a container. */
const MARK = ".dockerenv";

/** Adds what is missing; whatever the image has at such a path stays, be it what it may. */
export function addMountPoints(root: DirectoryNode): void {
  for (const name of FOLDERS) addIfMissing(root, name, emptyFolder());
  addIfMissing(root, MARK, emptyFile(0o755));
  const etc = root.children.get("etc");
  if (etc?.type !== "directory") return;
  for (const name of FILES) addIfMissing(etc, name, emptyFile(0o644));
  const attributes = { ...IMPLIED_FOLDER, mode: 0o777 };
  addIfMissing(etc, "mtab", { type: "symlink", attributes, target: "/proc/mounts" });
}

function emptyFile(mode: number): TreeNode {
  return { type: "file", attributes: { ...IMPLIED_FOLDER, mode }, size: 0, data: [], layer: 0 };
}

function addIfMissing(folder: DirectoryNode, name: string, node: TreeNode): void {
  if (!folder.children.has(name)) folder.children.set(name, node);
}
