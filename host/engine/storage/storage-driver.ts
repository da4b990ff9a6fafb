/** The ways to store a container's root, by the names that users give them. */

import type { ContainerConfig, StorageDriver } from "../container-config.ts";
import { storageError } from "./errors.ts";

/**
 * `overlay`: the image's layers, shared by all, under a disk for what is written. `block`: a disk with all of the image,
 * shared, of which blocks that are written go into a file of the container's. `reflink`: a copy of that disk, whose
 * extents the host's file system shares until they are written. `virtiofs`: a folder of the host.
 */
export const STORAGE_DRIVERS: readonly StorageDriver[] = [
  "overlay",
  "block",
  "reflink",
  "virtiofs",
];

/** The one of containers that ask for none, unless the daemon was told of another. */
export const DEFAULT_STORAGE_DRIVER: StorageDriver = "overlay";

/** @throws DvmError `STORAGE_INVALID` naming those that there are */
export function parseStorageDriver(text: string): StorageDriver {
  const driver = STORAGE_DRIVERS.find((known) => known === text);
  if (driver !== undefined) return driver;
  throw storageError("STORAGE_INVALID", `no storage driver ${JSON.stringify(text.slice(0, 100))}`, {
    hint: `the storage drivers are ${STORAGE_DRIVERS.join(", ")}`,
  });
}

/** The driver of a container whose configuration is settled. */
export function storageDriverOf({
  storageDriver = DEFAULT_STORAGE_DRIVER,
}: Pick<ContainerConfig, "storageDriver">): StorageDriver {
  return storageDriver;
}

/**
 * The configuration with the driver that it is to have, here and at every start to come.
 *
 * @param usual the daemon's
 * @throws DvmError `STORAGE_INVALID` where its parts contradict each other
 */
export function settleStorage<T extends StorageConfig>(
  config: T,
  usual: StorageDriver,
): T & Pick<ContainerConfig, "storageDriver"> {
  const { rootfs, storageDriver, storageSize } = config;
  const driver = storageDriver ?? (rootfs === undefined ? usual : "virtiofs");
  if (rootfs !== undefined && driver !== "virtiofs") {
    throw storageError("STORAGE_INVALID", `a folder as root cannot be stored by ${driver}`, {
      hint: "leave --storage-opt driver= out: it is virtiofs with --rootfs",
    });
  }
  if (driver === "virtiofs") checkFolder(config);
  if (driver === "virtiofs" && storageSize !== undefined) {
    throw storageError("STORAGE_INVALID", "a folder as root has no size of its own", {
      hint: "leave --storage-opt size= out, or take another storage driver",
    });
  }
  return driver === DEFAULT_STORAGE_DRIVER ? config : { ...config, storageDriver: driver };
}

type StorageConfig = Pick<
  ContainerConfig,
  "rootfs" | "storageDriver" | "storageSize" | "userNamespace"
>;

function checkFolder({ rootfs, userNamespace }: StorageConfig): void {
  if (rootfs === undefined) {
    throw storageError("STORAGE_INVALID", "the virtiofs driver takes a folder, not an image", {
      hint: "dvm run --rootfs FOLDER COMMAND, with an image that is unpacked in FOLDER",
    });
  }
  if (userNamespace !== undefined) {
    throw storageError("STORAGE_INVALID", "a folder as root has no private user namespace", {
      hint: "virtio-fs cannot map owners: import the folder as an image",
    });
  }
}
