/** Mounts and roots, by the kernel. */

import { STATFS } from "../linux/magic.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { FileSystemStat, MountCalls } from "./syscalls.ts";

export function kernelMountCalls(kernel: Kernel): MountCalls {
  return {
    mount: ({ source, target, type, flags = 0, data }) =>
      void kernel.about(target, "mount", source, target, type ?? null, flags, data ?? null),
    umount2: (target, flags) => void kernel.about(target, "umount2", target, flags),
    pivot_root: (newRoot, putOld) => void kernel.about(newRoot, "pivot_root", newRoot, putOld),
    chroot: (path) => void kernel.about(path, "chroot", path),
    chdir: (path) => void kernel.about(path, "chdir", path),
    fchdir: (fd) => void kernel.call("fchdir", fd),
    open_tree: (dirfd, path, flags) => kernel.about(path, "open_tree", dirfd, path, flags),
    move_mount: (from, dirfd, path, flags) =>
      void kernel.about(path, "move_mount", from, "", dirfd, path, flags),
    statfs: (path) => statfs(kernel, path),
  };
}

function statfs(kernel: Kernel, path: string): FileSystemStat {
  const stat = new Struct(STATFS);
  kernel.about(path, "statfs", path, stat.bytes);
  return {
    type: stat.get("f_type"),
    blockSize: stat.get("f_bsize"),
    blocks: stat.get("f_blocks"),
    blocksFree: stat.get("f_bfree"),
    blocksAvailable: stat.get("f_bavail"),
    files: stat.get("f_files"),
    filesFree: stat.get("f_ffree"),
  };
}
