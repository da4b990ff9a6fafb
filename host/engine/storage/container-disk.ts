/** The disk of a container by its storage driver: its file, what stands behind it, and what the guest makes of it. */

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Rootfs } from "#protocol";
import { FLAT_ROOT } from "../../rootfs/flat-root.ts";
import type { DiskConfig, ShareConfig } from "../../vmm/hypervisor.ts";
import type { ContainerConfig } from "../container-config.ts";
import { storageDriverOf } from "./storage-driver.ts";

/** Serials of the machine's disks; the same in every machine, so that a template fits all containers. */
export const IMAGE_SERIAL = "dvm-image";
export const UPPER_SERIAL = "dvm-upper";

/** Another name of the image's disk, below that of the container: it is there as long as the container is. */
export const BASE_NAME = "base.img";
const COPY_ON_WRITE = ".qcow2";
/** Name of the root in what the host shares. */
const ROOT_SHARE = "root";

/** File of the disk in the container's folder; undefined: it has none. */
export function containerDisk(folder: string, config: ContainerConfig): string | undefined {
  switch (storageDriverOf(config)) {
    case "overlay":
    case "reflink":
      return join(folder, "writable.img");
    case "block":
      return join(folder, `writable${COPY_ON_WRITE}`);
    case "virtiofs":
      return undefined;
  }
}

/** What stands behind it; the name says what it is. */
export function diskSource(path: string): DiskConfig["source"] {
  if (!path.endsWith(COPY_ON_WRITE)) return { kind: "file", path, format: "raw" };
  return { kind: "file", path, format: "qcow2", backing: join(dirname(path), BASE_NAME) };
}

/** What the container's own disk takes of the host's, without what it shares with the image's, in `bytes`. */
export async function diskUsage(path: string, config: ContainerConfig): Promise<number> {
  const { blocks } = await stat(path).catch(() => ({ blocks: 0 }));
  if (storageDriverOf(config) !== "reflink") return blocks * 512;
  const { ownBytes } = await import("../../sys/own-bytes.ts");
  return ownBytes(path) ?? blocks * 512;
}

/** What the machine shares for its root. */
export function rootShares({ rootfs, readOnly }: ContainerConfig): readonly ShareConfig[] {
  return rootfs === undefined ? [] : [{ name: ROOT_SHARE, path: rootfs, readOnly }];
}

/**
 * The root for the guest. A machine with a disk that is a whole root has the image's too: to tell what has changed, and to
 * be of the same shape as every other, so that a template fits.
 */
export function guestRoot(config: ContainerConfig): Rootfs {
  const { readOnly } = config;
  switch (storageDriverOf(config)) {
    case "overlay":
      return { imageSerial: IMAGE_SERIAL, upper: { kind: "disk", serial: UPPER_SERIAL }, readOnly };
    case "block":
    case "reflink":
      return {
        imageSerial: IMAGE_SERIAL,
        upper: { kind: "whole", serial: UPPER_SERIAL, folder: FLAT_ROOT },
        readOnly,
      };
    case "virtiofs":
      return { imageSerial: "", upper: { kind: "share", name: ROOT_SHARE }, readOnly };
  }
}
