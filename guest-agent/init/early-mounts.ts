/** From the kernel's initramfs to a root that containers can be made on. */

import { MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID } from "../linux/mount.ts";
import { isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";

/** where the cgroup v2 hierarchy is */
export const CGROUP_ROOT = "/sys/fs/cgroup";

/** the built-in initramfs has a /root already (usr/default_cpio_list) */
const NEW_ROOT = "/new-root";
const HARDENED = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/** Moves to a fresh root and mounts the kernel's file systems there. */
export function earlyMounts(sys: Syscalls): void {
  leaveInitramfs(sys);
  for (const folder of ["/proc", "/sys", "/dev", "/run"]) sys.mkdir(folder, 0o755);
  sys.mount({ source: "proc", target: "/proc", type: "proc", flags: HARDENED });
  sys.mount({ source: "sysfs", target: "/sys", type: "sysfs", flags: HARDENED });
  const devices = { source: "devtmpfs", target: "/dev", type: "devtmpfs" };
  sys.mount({ ...devices, flags: MS_NOSUID | MS_NOEXEC, data: "mode=0755" });
}

/** Mounts the cgroup v2 hierarchy; not needed to be ready, so it waits for the first container. */
export function mountCgroups(sys: Syscalls): void {
  try {
    sys.mount({ source: "cgroup2", target: CGROUP_ROOT, type: "cgroup2", flags: HARDENED });
  } catch (error) {
    if (!isSyscallError(error, "EBUSY")) throw error;
  }
}

/** pivot_root(2) refuses to move away from the initramfs, so a tmpfs takes its place before any container does it. */
function leaveInitramfs(sys: Syscalls): void {
  sys.mkdir(NEW_ROOT, 0o755);
  sys.mount({ source: "root", target: NEW_ROOT, type: "tmpfs", data: "mode=0755" });
  sys.chdir(NEW_ROOT);
  sys.mount({ source: ".", target: "/", flags: MS_MOVE });
  sys.chroot(".");
}
