/** A template whose machine has run a container before it was saved. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hypervisor, MachineConfig } from "../vmm/hypervisor.ts";
import type { EngineParts } from "./engine-parts.ts";
import { prepareWarmUp } from "./pool/warm-up.ts";

export interface SaveWarmTemplateOptions {
  readonly hypervisor: Hypervisor;
  /** a machine of the shape; its run directory is not used */
  readonly config: MachineConfig;
  readonly dataRoot: string;
  readonly parts: Pick<EngineParts, "makeWritableDisk">;
  /** whether everything else on the host goes first */
  readonly background?: boolean;
}

/** @returns whether there is one now; false: a machine of this shape can have none */
export async function saveWarmTemplate(options: SaveWarmTemplateOptions): Promise<boolean> {
  const { hypervisor, dataRoot, parts, background = false } = options;
  if (hypervisor.saveTemplate === undefined) return false;
  const runDirectory = await mkdtemp(join(tmpdir(), "dvm-"));
  try {
    const config = { ...options.config, runDirectory };
    await using prepared = await prepareWarmUp({ config, dataRoot, parts });
    return await hypervisor.saveTemplate(config, { background, warmUp: prepared.warmUp });
  } finally {
    await rm(runDirectory, { recursive: true });
  }
}
