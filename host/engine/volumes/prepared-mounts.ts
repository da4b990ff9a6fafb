/** What the mounts of a container come to when it starts. */

import type { MountSpec } from "#protocol";
import type { DiskConfig, ShareConfig } from "../../vmm/hypervisor.ts";

export interface PreparedMounts {
  /** what the machine shares with its host */
  readonly shares: readonly ShareConfig[];
  /** disks of the machine beside those of its root */
  readonly disks: readonly DiskConfig[];
  /** for the guest */
  readonly specs: readonly MountSpec[];
}

export const NO_MOUNTS: PreparedMounts = { shares: [], disks: [], specs: [] };
