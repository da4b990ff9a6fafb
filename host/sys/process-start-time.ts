/** When a process started: with its number, what tells it from a later one that has the same number. */

import { readFileSync } from "node:fs";

/** Start of a process, in `clock ticks` since boot (proc(5), /proc/PID/stat, field 22); undefined for one that has ended. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the second field is the name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
