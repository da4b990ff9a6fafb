/** Which storage driver a daemon uses, why, and what its data root can carry. */

import type { StorageDriver } from "../container-config.ts";
import { checkReflink, fileSystemOf } from "./reflink.ts";
import { DEFAULT_STORAGE_DRIVER } from "./storage-driver.ts";

export interface StorageInfo {
  /** of containers that ask for none */
  readonly driver: StorageDriver;
  /** why it is this one, in words */
  readonly reason: string;
  /** of the data root */
  readonly fileSystem: string;
  /** whether that shares extents between files, which `reflink` needs */
  readonly sharesExtents: boolean;
}

/** @param chosen what the daemon was told */
export async function storageInfo(
  dataRoot: string,
  chosen: StorageDriver | undefined,
): Promise<StorageInfo> {
  const [fileSystem, sharesExtents] = await Promise.all([
    fileSystemOf(dataRoot),
    checkReflink(dataRoot).then(
      () => true,
      () => false,
    ),
  ]);
  return {
    driver: chosen ?? DEFAULT_STORAGE_DRIVER,
    reason: chosen === undefined ? "the default: it shares most" : "dvmd --storage-driver",
    fileSystem,
    sharesExtents,
  };
}
