/** Network device flags (include/uapi/linux/if.h, sockios.h). */

import type { StructLayout } from "./layout.ts";

export const IFNAMSIZ = 16;
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
export const IFF_RUNNING = 0x40;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCSIFFLAGS = 0x8914;

/** A question about a network device, of SIOC*. */
export const IFREQ = {
  name: "struct ifreq",
  headers: ["linux/if.h"],
  size: 40,
  fields: {
    ifr_name: { offset: 0, size: 16 },
    ifr_flags: { offset: 16, size: 2 },
  },
} as const satisfies StructLayout;
