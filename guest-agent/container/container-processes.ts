/** The processes of a container, for `docker top`. */

import type { ProcessInfo } from "../protocol/messages.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { Cgroup } from "./cgroup.ts";
import { readText } from "./file-access.ts";

/** Linux reports times to user space in units of 1/100 s (USER_HZ). */
const MILLISECONDS_PER_TICK = 10;

/** longest command line that is told, in characters */
const MAX_COMMAND = 4096;

/** Every process in the container's group, by number. One that ends meanwhile is left out. */
export function containerProcesses(sys: Syscalls, cgroup: Cgroup): ProcessInfo[] {
  const found: ProcessInfo[] = [];
  for (const pid of cgroup.processes().sort((a, b) => a - b)) {
    try {
      found.push(describe(sys, pid));
    } catch (error) {
      if (!isSyscallError(error, "ENOENT", "ESRCH")) throw error;
    }
  }
  return found;
}

function describe(sys: Syscalls, pid: number): ProcessInfo {
  const stat = readText(sys, `/proc/${pid}/stat`);
  // proc(5): the name in parentheses may itself hold any character, parentheses too.
  const end = stat.lastIndexOf(")");
  const name = stat.slice(stat.indexOf("(") + 1, end);
  const fields = stat
    .slice(end + 2)
    .split(" ")
    .map(Number);
  // Counted from field 3 of proc_pid_stat(5).
  const field = (number: number): number => fields[number - 3] ?? 0;
  return {
    pid,
    ppid: field(4),
    uid: sys.stat(`/proc/${pid}`).uid,
    started: field(22) * MILLISECONDS_PER_TICK,
    cpu: (field(14) + field(15)) * MILLISECONDS_PER_TICK,
    terminal: terminalName(field(7)),
    command: commandLine(sys, pid) || `[${name}]`,
  };
}

function commandLine(sys: Syscalls, pid: number): string {
  return readText(sys, `/proc/${pid}/cmdline`)
    .slice(0, MAX_COMMAND)
    .replace(/\0+$/, "")
    .replaceAll("\0", " ");
}

/** kernel Documentation/admin-guide/devices.txt: majors 136 to 143 are the pseudo terminals, 256 each. */
function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (device === 0) return "?";
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : `${major}:${minor}`;
}
