/** File types of a folder's entries (include/linux/fs_types.h). */

import type { StructLayout } from "./layout.ts";

export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

/** One entry of getdents64(2) (include/linux/dirent.h); `d_reclen` says how long it is, `d_name` ends with NUL. */
export const LINUX_DIRENT64 = {
  name: "struct dirent64",
  headers: ["dirent.h"],
  size: 280,
  fields: {
    d_ino: { offset: 0, size: 8 },
    d_off: { offset: 8, size: 8 },
    d_reclen: { offset: 16, size: 2 },
    d_type: { offset: 18, size: 1 },
    d_name: { offset: 19, size: 256 },
  },
} as const satisfies StructLayout;
