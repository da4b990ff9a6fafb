/**
 * What has become of the limits that a container was asked to have, beside those in `HostConfig`: Docker's numbers as the
 * guest's cgroup and the machine's disks have them.
 */

import type { ContainerConfig } from "../../engine/container-config.ts";
import { guestResources } from "../../engine/container-spec.ts";
import { storageSize } from "../../engine/create-container.ts";
import { diskLimits } from "../../engine/disk-limits.ts";
import { storageDriverOf } from "../../engine/storage/storage-driver.ts";
import { swapBytes } from "../../engine/volumes/swap-disk.ts";

/** No limit, in Docker's words. */
const NONE = -1;

export function effectiveLimitsJson(config: ContainerConfig): Record<string, unknown> {
  const limits = guestResources(config.resources);
  const { read = {}, write = {} } = diskLimits(config.resources) ?? {};
  const hasDisk = storageDriverOf(config) !== "virtiofs";
  return {
    Memory: limits.memory ?? NONE,
    MemorySwap: limits.memory === undefined ? NONE : limits.memory + swapBytes(config.resources),
    MemoryReservation: limits.memoryReservation ?? 0,
    CpuQuota: limits.cpuQuota ?? NONE,
    CpuPeriod: limits.cpuPeriod ?? 0,
    CpuShares: limits.cpuShares ?? 0,
    CpusetCpus: limits.cpusetCpus ?? "",
    PidsLimit: limits.pids ?? NONE,
    DiskReadBps: read.bytesPerSecond ?? NONE,
    DiskReadIOps: read.operationsPerSecond ?? NONE,
    DiskWriteBps: write.bytesPerSecond ?? NONE,
    DiskWriteIOps: write.operationsPerSecond ?? NONE,
    StorageSize: hasDisk ? storageSize(config) : NONE,
  };
}
