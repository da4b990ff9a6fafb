/** A container's disk, made when the container is: before its image is known, or from it. */

import { chmod, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeQcow2Overlay } from "../../rootfs/qcow2-overlay.ts";
import type { ContainerConfig } from "../container-config.ts";
import type { PreparedImage } from "../engine-parts.ts";
import { BASE_NAME } from "./container-disk.ts";
import { checkReflink, cloneFile } from "./reflink.ts";
import { storageDriverOf } from "./storage-driver.ts";

export interface StorageOptions {
  readonly config: ContainerConfig;
  readonly image: PreparedImage;
  /** file of the disk, in the container's folder */
  readonly path: string;
  /** its capacity, in `bytes` */
  readonly bytes: number;
  /** folder that keeps what formatting comes to */
  readonly templates: string;
}

/**
 * Makes the disk of a driver whose disks have all of the image in them.
 *
 * @throws DvmError `STORAGE_UNSUPPORTED`, or ROOTFS_* and DISK_* of the image's own disk
 */
export async function makeFlatStorage(options: StorageOptions): Promise<void> {
  const { config, image, path, bytes, templates } = options;
  const base = join(dirname(path), BASE_NAME);
  if (storageDriverOf(config) === "reflink") {
    await checkReflink(dirname(path));
    await image.linkFlatDisk(base, { bytes, templates });
    await cloneFile(base, path);
    // the copy has taken over the mode of what nobody may write
    await chmod(path, 0o600);
    await rm(base);
    return;
  }
  await image.linkFlatDisk(base, { bytes, templates });
  await makeQcow2Overlay(path, { bytes, backing: BASE_NAME });
}
