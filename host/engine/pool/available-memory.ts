/** Memory that this process and those that it starts may still take: the host's, and that of its control groups. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface AvailableMemoryOptions {
  /** of proc(5) */
  readonly proc?: string;
  /** of control groups, version 2 (kernel Documentation/admin-guide/cgroup-v2.rst) */
  readonly cgroups?: string;
}

/** @returns `MiB` */
export function availableMemory({
  proc = "/proc",
  cgroups = "/sys/fs/cgroup",
}: AvailableMemoryOptions = {}): number {
  const [, free = "0"] =
    /^MemAvailable:\s+(\d+) kB$/m.exec(readIfThere(join(proc, "meminfo"))) ?? [];
  const [, own = "/"] = /^0::(\/.*)$/m.exec(readIfThere(join(proc, "self/cgroup"))) ?? [];
  const left = [Number(free) * 1024];
  for (let group = own; group !== "/"; group = dirname(group)) {
    left.push(leftIn(join(cgroups, group)));
  }
  return Math.min(...left) / 2 ** 20;
}

/** What files have in memory goes when others need it. @returns `bytes` */
function leftIn(group: string): number {
  const limit = Number.parseInt(readIfThere(join(group, "memory.max")), 10);
  if (Number.isNaN(limit)) return Number.POSITIVE_INFINITY; // `max`, or no such control
  const used = Number(readIfThere(join(group, "memory.current")));
  const [, files = "0"] =
    /^inactive_file (\d+)$/m.exec(readIfThere(join(group, "memory.stat"))) ?? [];
  return limit - used + Number(files);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
