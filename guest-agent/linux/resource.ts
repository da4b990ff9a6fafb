/** Resource limits of a process (include/uapi/asm-generic/resource.h). */

import type { StructLayout } from "./layout.ts";

export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;

export const RLIMITS = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const;

/** No limit, of prlimit64(2): all 64 bits set, which a number cannot hold, so it stands as Infinity. */
export const RLIM_INFINITY = Number.POSITIVE_INFINITY;

/** A limit of prlimit64(2), soft then hard. */
export const RLIMIT64 = {
  name: "struct rlimit64",
  headers: ["linux/resource.h"],
  size: 16,
  fields: {
    rlim_cur: { offset: 0, size: 8 },
    rlim_max: { offset: 8, size: 8 },
  },
} as const satisfies StructLayout;
