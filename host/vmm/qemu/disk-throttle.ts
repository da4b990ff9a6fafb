/** Limits of disks as QEMU's throttle groups: disks with the same limits share one, and what it allows. */

import type { DiskConfig, DiskLimits } from "../hypervisor.ts";

/** A group for each kind of limits among the disks. */
export function throttleArguments(disks: readonly DiskConfig[]): string[] {
  return throttleGroups(disks).flatMap((group) => ["-object", JSON.stringify(group)]);
}

/** The same as QMP's `object-add` takes them. */
export function throttleGroups(disks: readonly DiskConfig[]): Readonly<Record<string, unknown>>[] {
  const groups = new Map(
    disks.flatMap(({ limits }) => (limits ? [[groupId(limits), limits]] : [])),
  );
  return [...groups].map(([id, { read = {}, write = {} }]) => ({
    "qom-type": "throttle-group",
    id,
    limits: {
      ...given("bps-read", read.bytesPerSecond),
      ...given("iops-read", read.operationsPerSecond),
      ...given("bps-write", write.bytesPerSecond),
      ...given("iops-write", write.operationsPerSecond),
    },
  }));
}

/** The block node of a disk, which passes through the group of its limits. */
export function throttledNode(
  { limits, readOnly }: DiskConfig,
  node: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (limits === undefined) return node;
  return {
    driver: "throttle",
    "throttle-group": groupId(limits),
    "read-only": readOnly,
    discard: "unmap",
    file: node,
  };
}

function groupId({ read = {}, write = {} }: DiskLimits): string {
  const rates = [read, write].flatMap((each) => [each.bytesPerSecond, each.operationsPerSecond]);
  return `limits-${rates.map((rate) => rate ?? 0).join("-")}`;
}

function given(key: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [key]: value };
}
