/** posix_fadvise(2): what is to be read of a file soon. */

import { foreign } from "./libc.ts";

const posix_fadvise = foreign<
  (fd: number, offset: number, length: number, advice: number) => number
>("int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)");

/** bits/fcntl-linux.h */
const POSIX_FADV_WILLNEED = 3;

/** Has the kernel read a part of a file ahead, as far as it is not in memory; the descriptor stays the caller's. */
export function willNeed(fd: number, offset: number, length: number): void {
  posix_fadvise(fd, offset, length, POSIX_FADV_WILLNEED); // advice: what it makes of it is the kernel's
}
