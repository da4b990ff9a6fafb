/** What a container uses, for `docker stats`. */

import type { ContainerStats } from "../protocol/messages.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";
import type { Cgroup } from "./cgroup.ts";
import { readText, readTextIfAny } from "./file-access.ts";

/** `first` is the number of the container's first process, in whose network namespace the interfaces are. */
export function containerStats(
  sys: Syscalls,
  cgroup: Cgroup,
  first: number | undefined,
): ContainerStats {
  const cpu = cgroup.counters("cpu.stat");
  const io = ioBytes(cgroup.text("io.stat"));
  return {
    memoryBytes: cgroup.value("memory.current") ?? 0,
    memoryLimitBytes: cgroup.value("memory.max") ?? machineMemory(sys),
    memoryInactiveFileBytes: cgroup.counters("memory.stat").get("inactive_file") ?? 0,
    cpuMicroseconds: cpu.get("usage_usec") ?? 0,
    cpuUserMicroseconds: cpu.get("user_usec") ?? 0,
    cpuSystemMicroseconds: cpu.get("system_usec") ?? 0,
    pids: cgroup.value("pids.current") ?? cgroup.processes().length,
    ioReadBytes: io.read,
    ioWriteBytes: io.write,
    networks:
      first === undefined ? {} : networks(readTextIfAny(sys, `/proc/${first}/net/dev`) ?? ""),
    oomKills: cgroup.oomKills,
  };
}

/** cgroup-v2.rst io.stat: `8:0 rbytes=1 wbytes=2 …`, a line a device. */
function ioBytes(text: string): { read: number; write: number } {
  const sum = (key: string): number =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, "g"))].reduce(
      (all, [, value]) => all + Number(value),
      0,
    );
  return { read: sum("rbytes"), write: sum("wbytes") };
}

/** proc(5) /proc/net/dev: two heading lines, then `name: received… sent…`, eight numbers each. */
function networks(text: string): ContainerStats["networks"] {
  const entries: [string, { receivedBytes: number; sentBytes: number }][] = [];
  for (const line of text.split("\n").slice(2)) {
    const [name, numbers] = line.split(":");
    if (name === undefined || numbers === undefined || name.trim() === "lo") continue;
    const values = numbers.trim().split(/\s+/).map(Number);
    entries.push([name.trim(), { receivedBytes: values[0] ?? 0, sentBytes: values[8] ?? 0 }]);
  }
  return Object.fromEntries(entries);
}

function machineMemory(sys: Syscalls): number {
  const [, kibibytes] = /^MemTotal:\s+(\d+) kB$/m.exec(readText(sys, "/proc/meminfo")) ?? [];
  return Number(kibibytes ?? 0) * 1024;
}
