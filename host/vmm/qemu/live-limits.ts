/** Limits of the disks of a machine that runs: those of its start, which pass through throttle groups, give way to new ones. */

import type { DiskLimits } from "../hypervisor.ts";
import type { Execute } from "./handed-disks.ts";
import { isObject } from "./qmp-message.ts";

/** Group of the disks' own throttling, which they share. */
const LIVE_GROUP = "live-limits";

/** ThrottleLimits (qapi/block-core.json); what is not named stays as it was. */
const NO_LIMITS = Object.fromEntries(
  ["bps", "iops"].flatMap((unit) =>
    ["total", "read", "write"].map((kind) => [`${unit}-${kind}`, 0] as const),
  ),
);

/** @param limits of all disks together; undefined: none */
export async function setDiskLimits(
  execute: Execute,
  limits: DiskLimits | undefined,
): Promise<void> {
  const { read = {}, write = {} } = limits ?? {};
  const devices = diskDevices(await execute("query-block", {}));
  const groups = throttleGroups(await execute("qom-list", { path: "/objects" }));
  for (const id of devices) {
    await execute("block_set_io_throttle", {
      id,
      bps: 0,
      bps_rd: read.bytesPerSecond ?? 0,
      bps_wr: write.bytesPerSecond ?? 0,
      iops: 0,
      iops_rd: read.operationsPerSecond ?? 0,
      iops_wr: write.operationsPerSecond ?? 0,
      group: LIVE_GROUP,
    });
  }
  // after the new ones, so that at no time there are none
  for (const name of groups) {
    const path = `/objects/${name}`;
    await execute("qom-set", { path, property: "limits", value: NO_LIMITS });
  }
}

/** BlockInfo: the devices' paths. */
function diskDevices(answer: unknown): string[] {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((each) =>
    isObject(each) && typeof each.qdev === "string" ? [each.qdev] : [],
  );
}

/** ObjectPropertyInfo: the groups' names. */
function throttleGroups(answer: unknown): string[] {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((each) =>
    isObject(each) && each.type === "child<throttle-group>" ? [String(each.name)] : [],
  );
}
