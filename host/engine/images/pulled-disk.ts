/** Root disks of images as they come: one at a time, whatever comes at once, since an image's entries take memory. */

import { join } from "node:path";
import type { Layer } from "../../rootfs/entry.ts";
import { makeRootDisk } from "../../rootfs/root-disk.ts";

let last: Promise<unknown> = Promise.resolve();

/** @throws ROOTFS_* */
export async function makePulledDisk(layers: readonly Layer[], dataRoot: string): Promise<void> {
  const before = last;
  const made = before.then(() =>
    makeRootDisk({ layers, directory: join(dataRoot, "root-disks"), mountPoints: true }),
  );
  last = made.catch(() => undefined);
  await made;
}
