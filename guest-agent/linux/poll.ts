/** Events of poll(2) (include/uapi/asm-generic/poll.h). */

import type { StructLayout } from "./layout.ts";

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

/** One descriptor of poll(2). */
export const POLLFD = {
  name: "struct pollfd",
  headers: ["asm/poll.h"],
  size: 8,
  fields: {
    fd: { offset: 0, size: 4 },
    events: { offset: 4, size: 2 },
    revents: { offset: 6, size: 2 },
  },
} as const satisfies StructLayout;
