/** The templates of a backend's machines: how they are found, given up and made, whatever the backend. */

import { mkdtemp, rm } from "node:fs/promises";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Machine, MachineConfig, SaveTemplateOptions, TemplateUse } from "../hypervisor.ts";
import { shapeOf } from "./machine-shape.ts";
import type { TemplateKey } from "./template-key.ts";
import {
  type Template,
  TemplateDamaged,
  TemplateStore,
  type UnfinishedTemplate,
} from "./template-store.ts";

/** From the agent's first byte until the guest has nothing to do, in `milliseconds`; else clones would do it first. */
const SETTLE = 200;
/** of the lowest priority, nice(2) */
const BACKGROUND = 19;

/** A machine that can be saved, which ends it. */
interface SavableMachine extends Machine {
  save(): Promise<void>;
}

export interface MachineTemplatesOptions {
  /** where they are kept */
  readonly folder: string;
  /** name of the backend, for people */
  readonly backend: string;
  readonly keyOf: (shape: MachineConfig) => Promise<TemplateKey>;
}

export class MachineTemplates {
  readonly #store: TemplateStore;
  readonly #options: MachineTemplatesOptions;

  constructor(options: MachineTemplatesOptions) {
    this.#options = options;
    this.#store = new TemplateStore(options.folder);
  }

  /** @param onUse hears what there is, unless the machine's shape can have no template */
  async find(
    config: MachineConfig,
    onUse: (use: Exclude<TemplateUse, { kind: "cloned" }>) => void,
  ): Promise<Template | undefined> {
    const shape = shapeOf(config);
    if (shape === undefined) return undefined;
    try {
      const template = await this.#store.open((await this.#options.keyOf(shape)).key);
      if (template === undefined) onUse({ kind: "missing" });
      return template;
    } catch (error) {
      // whatever it is, the boot does without, or says it better
      onUse({ kind: "unusable", reason: (error as Error).message });
      if (error instanceof TemplateDamaged) await this.reject(config);
      return undefined;
    }
  }

  /** One that proved to be of no use goes. */
  async reject(config: MachineConfig): Promise<void> {
    const shape = shapeOf(config);
    if (shape !== undefined) await this.#store.remove((await this.#options.keyOf(shape)).key);
  }

  /**
   * @param boot takes a machine up to the agent's first byte
   * @returns whether there is one now; false: machines of this shape can have none
   */
  async save(
    config: MachineConfig,
    boot: (shape: MachineConfig, saveTo: UnfinishedTemplate) => Promise<SavableMachine>,
    { background = false }: Pick<SaveTemplateOptions, "background">,
  ): Promise<boolean> {
    const shape = shapeOf(config);
    if (shape === undefined) return false;
    const key = await this.#options.keyOf(shape);
    if (background && (await this.#isThere(key))) return true;
    const about = `${this.#options.backend}, ${shape.memoryMiB} MiB, ${shape.vcpus} vCPU, ${shape.disks.length} disks, ${shape.networks.length} cards`;
    await this.#store.save(key, { about }, async (unfinished) => {
      const runDirectory = await mkdtemp(join(tmpdir(), "dvm-"));
      try {
        await using machine = await boot({ ...shape, runDirectory }, unfinished);
        if (background) setPriority(machine.pid, BACKGROUND);
        await setTimeout(SETTLE);
        await machine.save();
      } finally {
        await rm(runDirectory, { recursive: true });
      }
    });
    return true;
  }

  /** Others may have made it meanwhile. */
  async #isThere({ key }: TemplateKey): Promise<boolean> {
    try {
      using template = await this.#store.open(key);
      return template !== undefined;
    } catch (error) {
      if (error instanceof TemplateDamaged) return false;
      throw error;
    }
  }
}
