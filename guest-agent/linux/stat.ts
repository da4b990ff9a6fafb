/** File types, permission bits and device numbers (include/uapi/linux/stat.h). */

import type { StructLayout } from "./layout.ts";

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o60000;
export const S_IFDIR = 0o40000;
export const S_IFCHR = 0o20000;
export const S_IFIFO = 0o10000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IRWXU = 0o700;
export const S_IRUSR = 0o400;
export const S_IWUSR = 0o200;
export const S_IXUSR = 0o100;
export const S_IRWXG = 0o70;
export const S_IRGRP = 0o40;
export const S_IWGRP = 0o20;
export const S_IXGRP = 0o10;
export const S_IRWXO = 0o7;
export const S_IROTH = 0o4;
export const S_IWOTH = 0o2;
export const S_IXOTH = 0o1;

/** Encodes a device number as mknod(2) and stat(2) carry it (include/linux/kdev_t.h, new_encode_dev). */
export function makedev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

/** Major number of an encoded device number. */
export function major(device: number): number {
  return (device >> 8) & 0xfff;
}

/** Minor number of an encoded device number. */
export function minor(device: number): number {
  return (device & 0xff) | ((device >> 12) & 0xfff00);
}

/** What stat(2) tells of a file. */
export const STAT = {
  name: "struct stat",
  headers: ["asm/stat.h"],
  size: 144,
  fields: {
    st_dev: { offset: 0, size: 8 },
    st_ino: { offset: 8, size: 8 },
    st_nlink: { offset: 16, size: 8 },
    st_mode: { offset: 24, size: 4 },
    st_uid: { offset: 28, size: 4 },
    st_gid: { offset: 32, size: 4 },
    st_rdev: { offset: 40, size: 8 },
    st_size: { offset: 48, size: 8 },
    st_mtime: { offset: 88, size: 8 },
    st_ctime: { offset: 104, size: 8 },
  },
} as const satisfies StructLayout;
