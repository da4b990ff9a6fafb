/** Which of the kernel's own files a container must not see or not write. */

import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./default-mounts.ts";

/** Those that this kernel has. */
export interface KernelPaths {
  readonly readOnly: readonly string[];
  readonly masked: readonly string[];
}

/** Looks once for all containers: what a kernel offers does not change. */
export function kernelPaths(sys: Syscalls): KernelPaths {
  const isThere = (path: string): boolean => exists(sys, path);
  return { readOnly: READONLY_PATHS.filter(isThere), masked: MASKED_PATHS.filter(isThere) };
}

function exists(sys: Syscalls, path: string): boolean {
  try {
    sys.lstat(path);
    return true;
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return false;
    throw error;
  }
}
