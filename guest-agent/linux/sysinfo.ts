/** What sysinfo(2) and uname(2) tell (include/uapi/linux/sysinfo.h, utsname.h). */

import type { StructLayout } from "./layout.ts";

export const SYSINFO = {
  name: "struct sysinfo",
  headers: ["linux/sysinfo.h"],
  size: 112,
  fields: {
    totalram: { offset: 32, size: 8 },
    freeram: { offset: 40, size: 8 },
    mem_unit: { offset: 104, size: 4 },
  },
} as const satisfies StructLayout;

/** Each field ends with NUL. */
export const NEW_UTSNAME = {
  name: "struct new_utsname",
  headers: ["linux/utsname.h"],
  size: 390,
  fields: {
    sysname: { offset: 0, size: 65 },
    release: { offset: 130, size: 65 },
  },
} as const satisfies StructLayout;
