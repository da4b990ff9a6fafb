/** The disks of a container's machine that are put aside while it is saved. */

import type { DiskConfig } from "../../vmm/hypervisor.ts";
import { rootDisks } from "../boot-machine.ts";
import type { KeptContainer } from "../daemon/kept-container.ts";
import { diskLimits } from "../disk-limits.ts";

/** In their places among the machine's. */
export function savedDisks(kept: KeptContainer): DiskConfig[] {
  const { config, writableDisk } = kept;
  if (writableDisk === undefined) return [];
  const limits = diskLimits(config.resources);
  const disks = rootDisks({
    extents: kept.rootDisk(),
    writableDisk,
    disposable: config.autoRemove,
  });
  return disks.map((disk) => (limits === undefined ? disk : { ...disk, limits }));
}
