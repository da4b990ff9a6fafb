/** Operations, flags and verdicts of seccomp(2) (include/uapi/linux/seccomp.h, linux/audit.h, linux/elf-em.h). */

import type { StructLayout } from "./layout.ts";

export const SECCOMP_SET_MODE_STRICT = 0;
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_GET_ACTION_AVAIL = 2;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0x0;
export const SECCOMP_RET_TRAP = 0x30000;
export const SECCOMP_RET_ERRNO = 0x50000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;
export const SECCOMP_RET_DATA = 0xffff;
export const AUDIT_ARCH_X86_64 = 0xc000003e;
export const AUDIT_ARCH_I386 = 0x40000003;

/** What a filter sees of a system call. */
export const SECCOMP_DATA = {
  name: "struct seccomp_data",
  headers: ["linux/seccomp.h"],
  size: 64,
  fields: {
    nr: { offset: 0, size: 4 },
    arch: { offset: 4, size: 4 },
    instruction_pointer: { offset: 8, size: 8 },
    args: { offset: 16, size: 48 },
  },
} as const satisfies StructLayout;
