/** The disk that a machine swaps its memory to, for a container that may swap. */

import { SWAP_FLAG_DISCARD } from "../linux/swap.ts";
import type { SwapSpec } from "../protocol/container-spec.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";
import type { Disks } from "./disks.ts";
import { writeSetting } from "./file-access.ts";

/** Of the whole machine: cgroup v2 has none for a group (kernel Documentation/admin-guide/sysctl/vm.rst). */
const SWAPPINESS = "/proc/sys/vm/swappiness";

/** @throws ContainerError `CONTAINER_SPEC` when there is no such disk, SyscallError when it holds no swap */
export function swapTo(
  sys: Syscalls,
  disks: Disks,
  { swap, undo }: { readonly swap: SwapSpec; readonly undo: { push(step: () => void): void } },
): void {
  const device = disks.device(swap.serial);
  // what is swapped in again takes no room on the host
  sys.swapon(device, SWAP_FLAG_DISCARD);
  undo.push(() => sys.swapoff(device));
  if (swap.swappiness !== undefined) writeSetting(sys, SWAPPINESS, String(swap.swappiness));
}
