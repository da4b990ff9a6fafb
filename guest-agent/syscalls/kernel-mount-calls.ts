/** Mounts and roots, by the kernel. */

import { STATFS } from "../linux/magic.ts";
import { MOUNT_ATTR } from "../linux/mount.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { Fd, FileSystemStat, MountAttributes, MountCalls } from "./syscalls.ts";

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
    mount_setattr: (mount, flags, attributes) =>
      setAttributes(kernel, { mount, flags, attributes }),
    statfs: (path) => statfs(kernel, path),
  };
}

function setAttributes(
  kernel: Kernel,
  {
    mount,
    flags,
    attributes,
  }: { readonly mount: Fd; readonly flags: number; readonly attributes: MountAttributes },
): void {
  const attr = new Struct(MOUNT_ATTR)
    .set("attr_set", attributes.set)
    .set("userns_fd", attributes.userNamespace);
  kernel.call("mount_setattr", mount, "", flags, attr.bytes, attr.bytes.length);
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
