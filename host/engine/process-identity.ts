/** Telling a process from a later one with the same number: by the time it started. */

import { readdirSync, readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** start since boot, in clock ticks (proc(5), /proc/PID/stat, field 22) */
  readonly startTime: string;
}

/** The process as it is now, or nothing when there is none or it is a zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readProcessFile(pid, "stat");
  if (stat === undefined) return undefined;
  // the second field is the name in parentheses and may hold anything
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTime = fields[19];
  if (startTime === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Kills the process if it is still the same. */
export function killProcess(identity: ProcessIdentity): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The processes of virtual machines, and those that serve them, that have `path` in an argument. */
export function findVmmProcesses(path: string): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const [program = "", ...args] = (readProcessFile(pid, "cmdline") ?? "").split("\0");
    if (
      !/qemu-system|dvm-vmm|\/passt$|\/net-filter$|\/virtiofsd$/.test(program) ||
      ![program, ...args].some((arg) => arg.includes(path))
    )
      continue;
    const identity = identifyProcess(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

function readProcessFile(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // the process has ended, or is another user's
    return undefined;
  }
}
