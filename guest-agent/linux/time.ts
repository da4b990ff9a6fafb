/** Clocks of clock_gettime(2) (include/uapi/linux/time.h). */

import type { StructLayout } from "./layout.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;

/** A point or length of time. */
export const TIMESPEC = {
  name: "struct timespec",
  headers: ["linux/time.h"],
  size: 16,
  fields: {
    tv_sec: { offset: 0, size: 8 },
    tv_nsec: { offset: 8, size: 8 },
  },
} as const satisfies StructLayout;
