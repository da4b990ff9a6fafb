/** ioctl requests of /dev/random (include/uapi/linux/random.h). */

import { _IO, _IOW } from "./ioctl.ts";
import type { StructLayout } from "./layout.ts";

export const RNDADDENTROPY = _IOW("R", 0x03, 8);
export const RNDRESEEDCRNG = _IO("R", 0x07);
export const GRND_NONBLOCK = 1;

/** Entropy for RNDADDENTROPY: `bits` that it is worth, its length in `bytes`; the bytes follow. */
export const RAND_POOL_INFO = {
  name: "struct rand_pool_info",
  headers: ["linux/random.h"],
  size: 8,
  fields: {
    entropy_count: { offset: 0, size: 4 },
    buf_size: { offset: 4, size: 4 },
  },
} as const satisfies StructLayout;
