/** Walks paths of layer entries inside a tree; no path and no symbolic link leads out of it. */

import { rootfsError } from "./errors.ts";
import { printable } from "./printable.ts";
import { type DirectoryNode, emptyFolder } from "./tree.ts";

/** Links followed in one walk; the kernel's own limit (`MAXSYMLINKS`, Linux 6.1 include/linux/namei.h). */
const MAX_LINKS_FOLLOWED = 40;
/** Path components visited while following links, over a whole merge: tiny entries must not buy endless work. */
const MAX_LINK_STEPS = 20_000_000;
/** Inodes in a tree. */
const MAX_NODES = 2 ** 21;
/** Folders that no entry describes: an entry of 1 KiB with a long path makes hundreds. */
const MAX_IMPLIED_FOLDERS = 2 ** 17;

/** A walker over one tree. It bounds the work and the inodes of everything that is done through it. */
export class PathWalk {
  readonly root: DirectoryNode;
  #nodes = 1;
  #impliedFolders = 0;
  #linkSteps = 0;
  #lastPath = "";
  #lastFolder: DirectoryNode;

  constructor(root: DirectoryNode) {
    this.root = root;
    this.#lastFolder = root;
  }

  /** Resolves the folder `path`, following symbolic links, and makes what is missing (as `mkdir -p`). */
  makeFolder(path: string): DirectoryNode {
    if (path === this.#lastPath) return this.#lastFolder;
    const { folder, missing } = this.#walk(path);
    if (folder === undefined) {
      throw rootfsError(
        "ROOTFS_BAD_ENTRY",
        `layer entry lies beneath ${printable(path)}, which is not a directory`,
      );
    }
    let current = folder;
    for (const name of missing) {
      const made = emptyFolder();
      this.#countImplied();
      this.count();
      current.children.set(name, made);
      current = made;
    }
    this.#lastPath = path;
    this.#lastFolder = current;
    return current;
  }

  /** Resolves the folder `path`, following symbolic links; undefined where there is none. */
  findFolder(path: string): DirectoryNode | undefined {
    const { folder, missing } = this.#walk(path);
    return missing.length === 0 ? folder : undefined;
  }

  /** Must be called when a folder or a link has left its place: paths may resolve differently now. */
  forget(): void {
    this.#lastPath = "";
    this.#lastFolder = this.root;
  }

  /** Counts an inode that is about to be added. */
  count(): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      throw rootfsError("ROOTFS_TOO_LARGE", `image has more than ${MAX_NODES} files`);
    }
  }

  /** `folder` is the last one that exists and `missing` the names below it; no folder: a file is in the way. */
  #walk(path: string): { folder: DirectoryNode | undefined; missing: string[] } {
    const folders = [this.root];
    const missing: string[] = [];
    const pending = path.split("/").reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (links > 0) this.#countLinkStep(path);
      if (name === "" || name === ".") continue;
      if (name === "..") {
        // The parent of the root is the root, as in the kernel.
        if (missing.pop() === undefined && folders.length > 1) folders.pop();
        continue;
      }
      const child = missing.length > 0 ? undefined : folders.at(-1)?.children.get(name);
      if (child === undefined) {
        missing.push(name);
      } else if (child.type === "directory") {
        folders.push(child);
      } else if (child.type === "symlink") {
        links += 1;
        if (links > MAX_LINKS_FOLLOWED) {
          throw rootfsError(
            "ROOTFS_BAD_ENTRY",
            `too many symbolic links on the way to ${printable(path)}`,
          );
        }
        if (child.target.startsWith("/")) folders.length = 1;
        for (const part of child.target.split("/").reverse()) pending.push(part);
      } else {
        return { folder: undefined, missing };
      }
    }
    return { folder: folders.at(-1), missing };
  }

  #countImplied(): void {
    this.#impliedFolders += 1;
    if (this.#impliedFolders > MAX_IMPLIED_FOLDERS) {
      throw rootfsError(
        "ROOTFS_TOO_LARGE",
        `image has more than ${MAX_IMPLIED_FOLDERS} folders without an entry`,
      );
    }
  }

  #countLinkStep(path: string): void {
    this.#linkSteps += 1;
    if (this.#linkSteps > MAX_LINK_STEPS) {
      throw rootfsError(
        "ROOTFS_TOO_LARGE",
        `symbolic links of the image take too long to follow, last ${printable(path)}`,
      );
    }
  }
}
