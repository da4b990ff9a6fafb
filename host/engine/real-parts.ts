/** The engine's parts as they are outside of tests; each is loaded when it is first used, for most calls need few. */

import { join } from "node:path";
import { findArtifacts } from "./artifacts.ts";
import type { EngineParts, MakeTemplateOptions } from "./engine-parts.ts";

export const realParts: EngineParts = {
  findArtifacts,
  prepareImage: async (options) => {
    const { prepareImage } = await import("./prepare-image.ts");
    return prepareImage(options);
  },
  releaseImage: async (container, dataRoot) => {
    const { releaseImage } = await import("./prepare-image.ts");
    await releaseImage(container, dataRoot);
  },
  makeWritableDisk: async (disk) => {
    const { makeWritableDisk } = await import("../rootfs/writable-disk.ts");
    await makeWritableDisk(disk);
  },
  ...(process.env.DVM_TEMPLATE !== "off" && { makeTemplate }),
  openHypervisor: async ({ accelerator, backend }, dataRoot) => {
    const { openHypervisor } = await import("../vmm/factory.ts");
    const cacheDirectory = hostCache(dataRoot);
    return openHypervisor({
      accel: accelerator,
      vmm: backend,
      cacheDirectory,
      templates: process.env.DVM_TEMPLATE === "off" ? undefined : templateFolder(dataRoot),
    });
  },
};

/** A template takes two seconds of a processor that has nothing else to do, and some 60 MB of disk for each shape. */
async function makeTemplate(options: MakeTemplateOptions): Promise<void> {
  const queue = await import("./template-queue.ts");
  await queue.makeTemplate(options, realParts);
}

/** Where booted machines are kept that others are cloned from; `DVM_TEMPLATE=off` has every machine boot. */
export function templateFolder(dataRoot: string): string {
  return join(hostCache(dataRoot), "templates");
}

/** Where measurements of the host are kept. */
export function hostCache(dataRoot: string): string {
  return join(dataRoot, "host");
}
