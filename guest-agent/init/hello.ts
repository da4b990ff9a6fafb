/**
 * What the agent says first. A clone says it before it has entropy of its own, so nothing random is in it: the kernel
 * makes its boot id when that is first read (proc_do_uuid of drivers/char/random.c, Linux 6.1).
 */

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
    memoryBytes: sys.sysinfo().total,
    uptime: seconds * 1_000_000 + Math.floor(nanoseconds / 1000),
    containers,
  };
}
