/** Which of the kernel's own files a container must not see or not write. */

import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./default-mounts.ts";
import { listFolder } from "./file-access.ts";

/** Those that this kernel has. */
export interface KernelPaths {
  readonly readOnly: readonly string[];
  readonly masked: readonly string[];
}

/** Looks once for all containers: what a kernel offers does not change, and each look that fails is dear. */
export function kernelPaths(sys: Syscalls): KernelPaths {
  const proc = new Set(listFolder(sys, "/proc"));
  const isThere = (path: string): boolean =>
    path.startsWith("/proc/") ? proc.has(path.slice("/proc/".length)) : exists(sys, path);
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
