/** --storage-opt driver=NAME. */

import type { ContainerConfig } from "../../api/engine-api.ts";

type StorageDriver = NonNullable<ContainerConfig["storageDriver"]>;

const DRIVERS: readonly StorageDriver[] = ["overlay", "block", "reflink", "virtiofs"];

/** @throws Error naming those that there are */
export function parseStorageDriver(text: string): StorageDriver {
  const driver = DRIVERS.find((known) => known === text);
  if (driver !== undefined) return driver;
  throw new Error(`no storage driver "${text}": there are ${DRIVERS.join(", ")}`);
}
