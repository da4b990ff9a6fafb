/** The rules that Docker has for mounts, as far as they can be checked before there is anything. */

import { posix } from "node:path";
import type { ContainerConfig } from "../container-config.ts";
import { volumeError } from "./errors.ts";
import type { MountConfig } from "./mount-config.ts";
import { checkVolumeName } from "./volume-name.ts";

/** Most mounts of a container: each is a word of a message and an entry of the shared root. */
const MAX_MOUNTS = 512;
/** Longest path (linux/limits.h PATH_MAX, with its NUL), in `bytes`. */
const MAX_PATH = 4095;

/** @throws DvmError `MOUNT_INVALID`, `VOLUME_INVALID` */
export function checkMounts(config: ContainerConfig): void {
  const { mounts = [], tmpfs, volumesFrom = [] } = config;
  if (mounts.length + tmpfs.length > MAX_MOUNTS) {
    throw volumeError(
      "MOUNT_INVALID",
      `${mounts.length + tmpfs.length} mounts, at most ${MAX_MOUNTS}`,
    );
  }
  const seen = new Set<string>();
  for (const { destination } of [...mounts, ...tmpfs]) {
    const path = checkDestination(destination);
    if (seen.has(path)) throw volumeError("MOUNT_INVALID", `Duplicate mount point: ${path}`);
    seen.add(path);
  }
  for (const mount of mounts) checkSource(mount);
  if (config.userNamespace === "private" && mounts.length + volumesFrom.length > 0) {
    throw volumeError(
      "MOUNT_UNSUPPORTED",
      "volumes and folders of the host cannot be had with a private user namespace",
      { hint: "leave --userns private out: the virtual machine keeps its users apart anyway" },
    );
  }
}

/** The destination as it is compared: clean, absolute. @throws DvmError `MOUNT_INVALID` */
export function checkDestination(destination: string): string {
  if (!destination.startsWith("/")) {
    throw volumeError(
      "MOUNT_INVALID",
      `invalid mount path: '${destination.slice(0, 200)}' mount path must be absolute`,
    );
  }
  checkText(destination);
  const path = posix.normalize(destination).replace(/(.)\/$/, "$1");
  if (path === "/") {
    throw volumeError("MOUNT_INVALID", "invalid specification: destination can't be '/'");
  }
  return path;
}

function checkSource(mount: MountConfig): void {
  if (mount.type === "volume") {
    checkVolumeName(mount.name === "" ? undefined : mount.name);
    const { subpath } = mount;
    const isBeneath = subpath === undefined || !(subpath.startsWith("/") || climbs(subpath));
    if (isBeneath) return;
    throw volumeError("MOUNT_INVALID", `invalid volume subpath: ${subpath?.slice(0, 200)}`);
  }
  checkText(mount.source);
  if (mount.source.startsWith("/")) return;
  throw volumeError(
    "MOUNT_INVALID",
    `invalid mount config for type "bind": invalid mount path: '${mount.source.slice(0, 200)}' mount path must be absolute`,
  );
}

function climbs(path: string): boolean {
  return posix.normalize(path).split("/").includes("..") || path.includes("\0");
}

function checkText(path: string): void {
  if (path.includes("\0") || Buffer.byteLength(path) > MAX_PATH) {
    throw volumeError("MOUNT_INVALID", `invalid mount path: '${path.slice(0, 200)}'`);
  }
}
