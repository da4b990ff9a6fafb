/** The engine's parts as they are outside of tests. */

import { join } from "node:path";
import { makeWritableDisk } from "../rootfs/writable-disk.ts";
import { openHypervisor } from "../vmm/factory.ts";
import { findArtifacts } from "./artifacts.ts";
import type { EngineParts } from "./engine-parts.ts";
import { prepareImage, releaseImage } from "./prepare-image.ts";

export const realParts: EngineParts = {
  findArtifacts,
  prepareImage,
  releaseImage,
  makeWritableDisk,
  openHypervisor: ({ accelerator, backend }, dataRoot) =>
    openHypervisor({
      accel: accelerator,
      vmm: backend,
      cacheDirectory: hostCache(dataRoot),
    }),
};

/** What has been measured of the host. */
export function hostCache(dataRoot: string): string {
  return join(dataRoot, "host");
}
