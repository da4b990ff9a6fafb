/** The mounts of a container that starts: what the machine shares and which disks it has, and what the guest mounts. */

import { mkdirSync, statSync } from "node:fs";
import type { MountSpec } from "#protocol";
import type { DiskConfig, ShareConfig } from "../../vmm/hypervisor.ts";
import type { ContainerRecord } from "../container-record.ts";
import { checkVolumeDisk } from "./check-disk.ts";
import { volumeError } from "./errors.ts";
import { DISK_CONTENT } from "./make-disk.ts";
import type { MountPoint } from "./mount-config.ts";
import type { PreparedMounts } from "./prepared-mounts.ts";

/**
 * Makes the sources that are to be made, and checks disks that were not unmounted.
 *
 * @param isUsed which container with a running machine has the volume whose content is at a path
 * @throws DvmError `MOUNT_INVALID`, `MOUNT_UNSUPPORTED`, `VOLUME_IN_USE`, `VOLUME_DAMAGED`
 */
export async function prepareMounts(
  { mounts = [], state }: Pick<ContainerRecord, "mounts" | "state">,
  isUsed: (path: string) => string | undefined,
): Promise<PreparedMounts> {
  const shares: ShareConfig[] = [];
  const disks: DiskConfig[] = [];
  const specs: MountSpec[] = [];
  const isFirst = state.startedAt === undefined;
  for (const mount of mounts) {
    const guest = guestMount(mount, isFirst);
    if (mount.isDisk) {
      const serial = await diskOf(mount, disks, isUsed);
      const subpath = [DISK_CONTENT, ...(mount.subpath ?? "").split("/").filter(Boolean)].join("/");
      specs.push({ ...guest, type: "disk", source: serial, subpath });
    } else {
      const name = shareOf(mount, shares);
      specs.push({ ...guest, type: "virtiofs", source: name });
    }
  }
  return { shares, disks: disks.map((disk) => asMounted(disk, specs)), specs };
}

/** What the guest mounts read-only throughout, the host lets it only read. */
function asMounted(disk: DiskConfig, specs: readonly MountSpec[]): DiskConfig {
  const mounts = specs.filter(({ type, source }) => type === "disk" && source === disk.serial);
  return { ...disk, readOnly: mounts.every(({ options }) => options.includes("ro")) };
}

function guestMount({ destination, readOnly, copyUp, subpath }: MountPoint, isFirst: boolean) {
  return {
    destination,
    options: readOnly ? ["ro"] : [],
    ...(subpath === undefined ? {} : { subpath }),
    ...(copyUp && isFirst ? { copyUp } : {}),
  };
}

/** One share for each place and kind of access. @returns its name */
function shareOf(mount: MountPoint, shares: ShareConfig[]): string {
  checkSource(mount);
  const { source: path, readOnly } = mount;
  const known = shares.find((share) => share.path === path && share.readOnly === readOnly);
  if (known !== undefined) return known.name;
  const name = `s${shares.length}`;
  shares.push({ name, path, readOnly });
  return name;
}

/** One disk for each volume, however often it is mounted. @returns its serial */
async function diskOf(
  { source: path, name = "" }: MountPoint,
  disks: DiskConfig[],
  isUsed: (path: string) => string | undefined,
): Promise<string> {
  const known = disks.find(({ source }) => source.kind === "file" && source.path === path);
  if (known !== undefined) return known.serial;
  const user = isUsed(path);
  if (user !== undefined) {
    throw volumeError("VOLUME_IN_USE", `volume ${name} is a disk and container ${user} has it`, {
      hint: "a disk is one running container's at a time; a volume without -o type=disk is many's",
    });
  }
  await checkVolumeDisk(path, name);
  const serial = `dvm-volume-${disks.length}`;
  disks.push({ serial, readOnly: false, source: { kind: "file", path, format: "raw" } });
  return serial;
}

function checkSource({ source, createSource = false, name }: MountPoint): void {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined && createSource) {
    mkdirSync(source, { recursive: true, mode: 0o755 });
    return;
  }
  if (stat === undefined) {
    const what = name === undefined ? "bind source path" : `folder of volume ${name}`;
    throw volumeError(
      "MOUNT_INVALID",
      `invalid mount config for type "bind": ${what} does not exist: ${source}`,
    );
  }
  if (stat.isDirectory() || stat.isFile()) return;
  throw volumeError("MOUNT_UNSUPPORTED", `${source} is neither a folder nor a plain file`, {
    hint: "sockets, pipes and devices of the host do not reach into a virtual machine: use the network",
  });
}
