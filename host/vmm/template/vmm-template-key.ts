/** What a template of the `kvm` backend is made from. */

import { dirname, extname, join } from "node:path";
import type { MachineConfig } from "../hypervisor.ts";
import { STATE_VERSION } from "../kvm/machine-state.ts";
import { vmmMain } from "../vmm-main.ts";
import { type TemplateKey, templateKey } from "./template-key.ts";

/** The VMM is part of it: what it does with a state, and which processor its guests see, is its code. */
export async function vmmTemplateKey(shape: MachineConfig): Promise<TemplateKey> {
  const { kernel, initramfs, ...rest } = shape;
  const main = await vmmMain();
  const worker = join(dirname(main), `vcpu-worker-main${extname(main)}`);
  return templateKey({
    args: ["dvm-vmm", String(STATE_VERSION), JSON.stringify(rest)],
    files: [main, worker, kernel, initramfs],
    accelerator: "kvm",
  });
}
