/** What runs in the nested host, for its tests. */

import { readdirSync, readFileSync } from "node:fs";

/** Processes that are VMMs. */
export function vmmProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandOf(pid).startsWith("dvm-vmm"));
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
