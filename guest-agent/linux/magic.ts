/** Magic numbers of file systems, as statfs(2) tells them (include/uapi/linux/magic.h). */

import type { StructLayout } from "./layout.ts";

export const EXT4_SUPER_MAGIC = 0xef53;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const TMPFS_MAGIC = 0x1021994;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SYSFS_MAGIC = 0x62656572;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const EROFS_SUPER_MAGIC_V1 = 0xe0f5e1e2;
export const RAMFS_MAGIC = 0x858458f6;

/** What statfs(2) tells (arch/x86/include/uapi/asm/statfs.h, include/uapi/asm-generic/statfs.h). */
export const STATFS = {
  name: "struct statfs",
  headers: ["asm/statfs.h"],
  size: 120,
  fields: {
    f_type: { offset: 0, size: 8 },
    f_bsize: { offset: 8, size: 8 },
    f_blocks: { offset: 16, size: 8 },
    f_bfree: { offset: 24, size: 8 },
    f_bavail: { offset: 32, size: 8 },
    f_files: { offset: 40, size: 8 },
    f_ffree: { offset: 48, size: 8 },
  },
} as const satisfies StructLayout;
