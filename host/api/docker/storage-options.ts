/** What `StorageOpt` says of a container's root: its size, its driver, and the folder that is in place of an image. */

import type { ContainerConfig } from "../../engine/container-config.ts";
import { parseStorageDriver, storageDriverOf } from "../../engine/storage/storage-driver.ts";
import { apiError } from "./errors.ts";

type StorageConfig = Pick<ContainerConfig, "storageSize" | "storageDriver" | "rootfs">;

/** @throws DvmError `BAD_REQUEST`, `STORAGE_INVALID` */
export function readStorageOptions(options: Readonly<Record<string, string>>): StorageConfig {
  let config: StorageConfig = {};
  for (const [key, value] of Object.entries(options)) {
    if (key === "size") config = { ...config, storageSize: byteSize(value) };
    else if (key === "driver") config = { ...config, storageDriver: parseStorageDriver(value) };
    else if (key === "rootfs") config = { ...config, rootfs: value };
    else throw apiError("BAD_REQUEST", `unknown storage option: ${key.slice(0, 100)}`);
  }
  return config;
}

/** The same as `StorageOpt`; empty for what nobody asked for. */
export function writeStorageOptions({ storageSize, storageDriver, rootfs }: StorageConfig): {
  readonly StorageOpt?: Readonly<Record<string, string>>;
} {
  const options = {
    ...(storageSize === undefined ? {} : { size: String(storageSize) }),
    ...(storageDriver === undefined ? {} : { driver: storageDriver }),
    ...(rootfs === undefined ? {} : { rootfs }),
  };
  return Object.keys(options).length === 0 ? {} : { StorageOpt: options };
}

/** What `docker inspect` says of the driver. */
export function graphDriverJson(config: ContainerConfig): Record<string, unknown> {
  const { rootfs } = config;
  return { Name: storageDriverOf(config), Data: rootfs === undefined ? null : { Rootfs: rootfs } };
}

/** `10G`, as docker/go-units RAMInBytes takes it. */
function byteSize(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) {
    throw apiError("BAD_REQUEST", `invalid size: ${JSON.stringify(text.slice(0, 100))}`);
  }
  const [, digits = "", unit = ""] = match;
  return Math.trunc(Number(digits) * 1024 ** " kmgtp".indexOf(unit.toLowerCase() || " "));
}
