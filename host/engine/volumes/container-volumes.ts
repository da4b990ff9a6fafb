/**
 * The volumes of a container in the steps of its life; nothing of them is loaded for a container that has none.
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ContainerConfig } from "../container-config.ts";
import type { ContainerRecord } from "../container-record.ts";
import type { ContainerStore } from "../container-store.ts";
import { deviceDisks } from "../guest-devices.ts";
import { isOwned } from "../run-directory.ts";
import { rootShares } from "../storage/container-disk.ts";
import type { MountPoint } from "./mount-config.ts";
import { NO_MOUNTS, type PreparedMounts } from "./prepared-mounts.ts";
import type { StoredVolume } from "./volume-store.ts";

/** At its creation. @returns part of its record */
export async function settleVolumes(options: {
  readonly container: string;
  readonly config: ContainerConfig;
  readonly imageVolumes: readonly string[];
  readonly dataRoot: string;
  readonly containers: ContainerStore;
  readonly owner?: number;
  /** told of volumes that are made for it */
  readonly onCreated?: (volume: StoredVolume) => void;
}): Promise<{ readonly mounts?: readonly MountPoint[] }> {
  const { config, imageVolumes, dataRoot, container } = options;
  const { mounts = [], volumesFrom = [] } = config;
  if (mounts.length + volumesFrom.length + imageVolumes.length === 0) return {};
  const [{ settleMounts }, { VolumeStore }] = await Promise.all([
    import("./settle-mounts.ts"),
    import("./volume-store.ts"),
  ]);
  try {
    return { mounts: await settleMounts({ ...options, volumes: new VolumeStore(dataRoot) }) };
  } catch (error) {
    await releaseVolumes({ container, dataRoot, removeAnonymous: true });
    throw error;
  }
}

/**
 * At a start: its mounts, and what it swaps to.
 *
 * @throws DvmError for a source that is not there, or a disk that another machine has
 */
export async function prepareVolumes(
  record: ContainerRecord,
  dataRoot: string,
  runDirectory: string,
): Promise<PreparedMounts> {
  const mounts = await prepareAllMounts(record, dataRoot, runDirectory);
  if (record.config.resources.memorySwap === undefined) return mounts;
  const { makeSwapDisk } = await import("./swap-disk.ts");
  const made = makeSwapDisk(record, dataRoot);
  if (made === undefined) return mounts;
  return { ...mounts, disks: [...mounts.disks, made.disk], swap: made.swap };
}

async function prepareAllMounts(
  record: ContainerRecord,
  dataRoot: string,
  runDirectory: string,
): Promise<PreparedMounts> {
  const shares = rootShares(record.config);
  const disks = deviceDisks(record.config);
  if ((record.mounts ?? []).length === 0) {
    return shares.length + disks.length === 0 ? NO_MOUNTS : { ...NO_MOUNTS, shares, disks };
  }
  const [{ prepareMounts }, { VolumeStore }] = await Promise.all([
    import("./prepare-mounts.ts"),
    import("./volume-store.ts"),
  ]);
  const volumes = new VolumeStore(dataRoot);
  const prepared = await prepareMounts(record, (path) =>
    volumes.at(path)?.users.find((id) => id !== record.id && isOwned(dirname(runDirectory), id)),
  );
  return {
    ...prepared,
    shares: [...shares, ...prepared.shares],
    disks: [...disks, ...prepared.disks],
  };
}

/** Once its machine is no more. */
export async function releaseSwap(
  { id, config }: Pick<ContainerRecord, "id" | "config">,
  dataRoot: string,
): Promise<void> {
  if (config.resources.memorySwap === undefined) return;
  const { removeSwapDisk } = await import("./swap-disk.ts");
  removeSwapDisk(dataRoot, id);
}

/**
 * At its removal.
 *
 * @param options whether volumes without a name go too, unless other containers have them
 * @returns those that went
 */
export async function releaseVolumes(options: {
  readonly container: string;
  readonly dataRoot: string;
  readonly removeAnonymous: boolean;
}): Promise<readonly StoredVolume[]> {
  const { container, dataRoot, removeAnonymous } = options;
  if (!existsSync(join(dataRoot, "volumes"))) return [];
  const { VolumeStore } = await import("./volume-store.ts");
  return new VolumeStore(dataRoot).release(container, { removeAnonymous });
}
