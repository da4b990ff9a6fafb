/** Flags of openat2(2) (include/uapi/linux/openat2.h). */

import type { StructLayout } from "./layout.ts";

export const RESOLVE_NO_XDEV = 0x1;
export const RESOLVE_NO_MAGICLINKS = 0x2;
export const RESOLVE_NO_SYMLINKS = 0x4;
export const RESOLVE_BENEATH = 0x8;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

/** Arguments of openat2(2). */
export const OPEN_HOW = {
  name: "struct open_how",
  headers: ["linux/openat2.h"],
  size: 24,
  fields: {
    flags: { offset: 0, size: 8 },
    mode: { offset: 8, size: 8 },
    resolve: { offset: 16, size: 8 },
  },
} as const satisfies StructLayout;
