/** Flags of clone(2), unshare(2) and setns(2) (include/uapi/linux/sched.h). */

import type { StructLayout } from "./layout.ts";

export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_NEWTIME = 0x80;
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;

/** Arguments of clone3(2). */
export const CLONE_ARGS = {
  name: "struct clone_args",
  headers: ["linux/sched.h"],
  size: 88,
  fields: {
    flags: { offset: 0, size: 8 },
    pidfd: { offset: 8, size: 8 },
    child_tid: { offset: 16, size: 8 },
    parent_tid: { offset: 24, size: 8 },
    exit_signal: { offset: 32, size: 8 },
    stack: { offset: 40, size: 8 },
    stack_size: { offset: 48, size: 8 },
    tls: { offset: 56, size: 8 },
    set_tid: { offset: 64, size: 8 },
    set_tid_size: { offset: 72, size: 8 },
    cgroup: { offset: 80, size: 8 },
  },
} as const satisfies StructLayout;
