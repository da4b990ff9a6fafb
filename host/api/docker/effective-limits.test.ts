import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerConfig } from "../../engine/container-config.ts";
import { effectiveLimitsJson } from "./effective-limits.ts";

const of = (config: Partial<ContainerConfig>) =>
  effectiveLimitsJson({ resources: {}, ...config } as ContainerConfig);

test("what nobody asked for is no limit, but the disk has a size", () => {
  const { StorageSize, CpusetCpus, ...rest } = of({});
  assert.equal(StorageSize, 10 * 2 ** 30);
  assert.equal(CpusetCpus, "");
  assert.ok(Object.values(rest).every((value) => value === -1 || value === 0));
});

test("swap is what was asked for beside memory, CPUs become a quota, and of several devices the lowest counts", () => {
  const resources = {
    memory: 64 * 2 ** 20,
    nanoCpus: 1.5e9,
    deviceRates: { writeBps: [5, 3].map((rate) => ({ path: `/dev/${rate}`, rate })) },
  };
  const found = of({ resources, storageSize: 2 ** 30 });
  assert.equal(found.MemorySwap, 64 * 2 ** 20);
  const swapping = of({ resources: { ...resources, memorySwap: 96 * 2 ** 20 } });
  assert.equal(swapping.MemorySwap, 96 * 2 ** 20);
  assert.deepEqual([found.CpuQuota, found.CpuPeriod], [150_000, 100_000]);
  assert.deepEqual([found.DiskWriteBps, found.DiskReadBps, found.StorageSize], [3, -1, 2 ** 30]);
});

test("a folder as root has no size", () => {
  assert.equal(of({ storageDriver: "virtiofs", rootfs: "/f" }).StorageSize, -1);
});
