/** Telling a process from a later one with the same number. */

import { readFileSync } from "node:fs";

/**
 * Start in clock ticks since boot (proc(5), /proc/PID/stat, field 22), which no later process of the number has;
 * nothing when there is none, or only what its parent has not reaped.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the second field is the name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
