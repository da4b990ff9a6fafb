/**
 * An image as one ext4 that stands by itself: what containers start from whose root is a disk of their own. It is made
 * once for an image and a size, and never changes: what is written goes elsewhere, or to a copy.
 */

import { randomBytes } from "node:crypto";
import { link, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Layer } from "./entry.ts";
import { rootfsError } from "./errors.ts";
import { populateExt4 } from "./ext4/populate.ts";
import { FLAT_ROOT } from "./flat-root.ts";
import { mergeLayers } from "./merge.ts";
import { addMountPoints } from "./mount-points.ts";
import { makeWritableDisk } from "./writable-disk.ts";

/** Part of every name: to be raised when the same layers would give other bytes. */
const WRITER_VERSION = 1;

export interface FlatDiskOptions {
  readonly layers: readonly Layer[];
  /** path of the image's root disk, whose name is the layers'; the flat one lies beside it */
  readonly rootDisk: string;
  /** capacity, in `bytes` */
  readonly bytes: number;
  /** folder that keeps what formatting comes to */
  readonly templates: string;
}

/**
 * Gives the image's disk the name `path` too, making it unless it is there. Makers may run at once: only a whole file
 * gets its name, and the last one's stays.
 *
 * @throws ROOTFS_* and DISK_* as in `errors.ts`
 */
export async function linkFlatDisk(path: string, options: FlatDiskOptions): Promise<void> {
  const shared = flatDiskPath(options.rootDisk, options.bytes);
  for (const isLast of [false, true]) {
    try {
      await link(shared, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || isLast) throw error;
      await makeFlatDisk(shared, options);
    }
  }
}

/** Beside the root disk of the same layers. */
export function flatDiskPath(rootDisk: string, bytes: number): string {
  const name = basename(rootDisk).replace(/\.erofs$/, "");
  return join(dirname(rootDisk), `${name}.${bytes}.v${WRITER_VERSION}.ext4`);
}

async function makeFlatDisk(shared: string, options: FlatDiskOptions): Promise<void> {
  const { layers, bytes, templates } = options;
  const partial = `${shared}.${process.pid}.${randomBytes(6).toString("hex")}.partial`;
  await mkdir(dirname(shared), { recursive: true });
  try {
    await makeWritableDisk({ path: partial, bytes, templates, plainGroups: true });
    const tree = mergeLayers(layers);
    addMountPoints(tree);
    const dataPaths = layers.map(({ dataPath }) => dataPath);
    await populateExt4({ path: partial, tree, name: FLAT_ROOT, dataPaths });
    await sync(partial);
    await rename(partial, shared);
  } catch (error) {
    await rm(partial, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    const message = `no room left for the image's disk ${shared}`;
    throw rootfsError("ROOTFS_WRITE_FAILED", message, { cause: error });
  }
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.chmod(0o400);
  await file.sync();
}
