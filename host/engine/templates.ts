/** The templates of machines, for whoever manages them: made before they are needed, listed, removed. */

import type { MachineConfig } from "../vmm/hypervisor.ts";
import type { TemplateStore, TemplateView } from "../vmm/template/template-store.ts";
import { machineConfig } from "./boot-machine.ts";
import type { MachineChoice, ResourceConfig } from "./container-config.ts";
import type { EngineParts } from "./engine-parts.ts";
import { engineError } from "./errors.ts";
import { machineShape } from "./machine-shape.ts";
import { saveWarmTemplate } from "./save-warm-template.ts";

export interface TemplateRequest {
  readonly machine: MachineChoice;
  /** limits of the containers that it is for */
  readonly resources: ResourceConfig;
}

export interface TemplatesOptions {
  readonly dataRoot: string;
  readonly parts: EngineParts;
  readonly store: TemplateStore;
}

export class Templates {
  readonly #options: TemplatesOptions;

  constructor(options: TemplatesOptions) {
    this.#options = options;
  }

  /**
   * Makes those of plain containers: with and without a network card, to be removed or kept. One that is there is
   * made anew.
   *
   * @throws DvmError `NOT_SUPPORTED` where the machines can have none
   */
  async build(request: TemplateRequest): Promise<void> {
    const { parts, dataRoot } = this.#options;
    const { hypervisor } = await parts.openHypervisor(request.machine, dataRoot);
    const plain = {
      container: "template",
      artifacts: parts.findArtifacts(),
      shape: machineShape(request.resources, hypervisor.accelerator),
      extents: [],
      writableDisk: "/dev/null",
      runDirectory: "/",
    };
    for (const disposable of [true, false]) {
      const config = machineConfig({ ...plain, disposable });
      const save = (each: MachineConfig) =>
        saveWarmTemplate({ hypervisor, config: each, dataRoot, parts });
      if (!(await save(config))) {
        throw engineError("NOT_SUPPORTED", `${hypervisor.name} makes no templates here`, {
          hint: "try `--vmm qemu`, without DVM_TEMPLATE=off",
        });
      }
      await save(withCard(config));
    }
  }

  list(): Promise<TemplateView[]> {
    return this.#options.store.list();
  }

  /** @throws DvmError `NO_SUCH_TEMPLATE` */
  async remove(key: string): Promise<void> {
    if (await this.#options.store.remove(key)) return;
    throw engineError("NO_SUCH_TEMPLATE", `no such template: ${key}`);
  }
}

/** Root's containers are on a bridge, those of others behind a user's network. */
function withCard(config: MachineConfig): MachineConfig {
  const backend =
    process.getuid?.() === 0
      ? ({ kind: "tap", name: "any" } as const)
      : ({ kind: "stream", path: "/" } as const);
  return { ...config, networks: [{ mac: "02:00:00:00:00:01", backend }] };
}
