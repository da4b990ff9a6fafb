/** What the mounts of a container come to when it starts. */

import type { MountSpec, SwapSpec } from "#protocol";
import type { DiskConfig, ShareConfig } from "../../vmm/hypervisor.ts";

export interface PreparedMounts {
  /** what the machine shares with its host */
  readonly shares: readonly ShareConfig[];
  /** disks of the machine beside those of its root */
  readonly disks: readonly DiskConfig[];
  /** for the guest */
  readonly specs: readonly MountSpec[];
  /** disk among those above that the guest swaps to */
  readonly swap?: SwapSpec;
}

/** For what an image has at the places of its volumes: gigabytes, by a guest that is emulated, in `milliseconds`. */
const COPY_UP = 30 * 60_000;

/** How long the guest may take to make a container with these mounts. @param usual in `milliseconds` */
export function creationDeadline(usual: number, mounts: readonly MountSpec[]): number {
  return mounts.some(({ copyUp }) => copyUp === true) ? Math.max(usual, COPY_UP) : usual;
}

export const NO_MOUNTS: PreparedMounts = { shares: [], disks: [], specs: [] };
