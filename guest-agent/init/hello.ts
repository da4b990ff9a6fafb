/** What the agent says first. */

import { readText } from "../container/file-access.ts";
import { CLOCK_BOOTTIME } from "../linux/time.ts";
import { type FromGuest, PROTOCOL_VERSION } from "../protocol/index.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";

type Hello = Extract<FromGuest, { readonly type: "hello" }>;

export function hello(sys: Syscalls, containers: Hello["containers"]): Hello {
  const { seconds, nanoseconds } = sys.clock_gettime(CLOCK_BOOTTIME);
  return {
    type: "hello",
    version: PROTOCOL_VERSION,
    kernel: sys.uname().release,
    bootId: readText(sys, "/proc/sys/kernel/random/boot_id").trim(),
    memoryBytes: sys.sysinfo().total,
    uptime: seconds * 1_000_000 + Math.floor(nanoseconds / 1000),
    containers,
  };
}
