/** The templates of a backend's machines: how they are found, given up and made, whatever the backend. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { VmmError } from "../errors.ts";
import type {
  Machine,
  MachineConfig,
  SaveTemplateOptions,
  StartOptions,
  TemplateUse,
} from "../hypervisor.ts";
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
/** What `SaveTemplateOptions.background` means to a process: the lowest priority, nice(2). */
export const BACKGROUND = 19;

/** How a template is made. */
export interface TemplateMaker<M extends Machine> {
  /** Takes a machine of this shape up to the agent's first byte, and what it is to have done before it is saved. */
  readonly boot: (shape: MachineConfig, files: UnfinishedTemplate) => Promise<M>;
  /** Writes it to its files; it is of no further use. */
  readonly save: (machine: M, files: UnfinishedTemplate, shape: MachineConfig) => Promise<void>;
}

export interface MachineTemplatesOptions {
  /** where they are kept */
  readonly folder: string;
  /** begins what people are told of one */
  readonly about: string;
  readonly keyOf: (shape: MachineConfig) => Promise<TemplateKey>;
  /** see `shapeOf` */
  readonly canShare?: boolean;
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
    const shape = this.#shapeOf(config);
    if (shape === undefined) return undefined;
    try {
      const template = await this.#store.open((await this.#options.keyOf(shape)).key);
      if (template === undefined) onUse({ kind: "missing" });
      else await template.workingSet.prefetch(template.memoryFd, template.runs);
      return template;
    } catch (error) {
      // whatever it is, the boot does without, or says it better
      onUse({ kind: "unusable", reason: (error as Error).message });
      if (error instanceof TemplateDamaged) await this.reject(config);
      return undefined;
    }
  }

  /**
   * Starts a machine as a clone. A template that is no good, whatever the reason, is given up: nothing has run in the clone.
   *
   * @returns nothing where there is none, or none that is any good
   */
  async clone<M extends Machine>(
    config: MachineConfig,
    { onTemplate = () => {}, signal, fresh = false }: StartOptions,
    start: (template: Template) => Promise<M>,
  ): Promise<M | undefined> {
    using template = fresh ? undefined : await this.find(config, onTemplate);
    if (template === undefined) return undefined;
    try {
      const machine = await start(template);
      this.watch(machine, template);
      onTemplate({ kind: "cloned" });
      return machine;
    } catch (error) {
      if (signal?.aborted || !(error instanceof VmmError)) throw error;
      await this.reject(config);
      onTemplate({ kind: "unusable", reason: error.message });
      return undefined;
    }
  }

  /** Has a clone of it tell what it has touched of the memory, unless one before has. */
  watch(clone: Machine, { workingSet }: Template): void {
    clone.noteRunning = () => workingSet.record(clone.pid);
  }

  /** Names the template that the machine would be a clone of. @returns nothing where there is none */
  async keyOf(config: MachineConfig): Promise<string | undefined> {
    const shape = this.#shapeOf(config);
    if (shape === undefined) return undefined;
    const { key } = await this.#options.keyOf(shape);
    return this.#store.has(key) ? key : undefined;
  }

  /** One that proved to be of no use goes. */
  async reject(config: MachineConfig): Promise<void> {
    const shape = this.#shapeOf(config);
    if (shape !== undefined) await this.#store.remove((await this.#options.keyOf(shape)).key);
  }

  /** @returns whether there is one now; false: machines of this shape can have none */
  async save<M extends Machine>(
    config: MachineConfig,
    { background = false }: Pick<SaveTemplateOptions, "background">,
    { boot, save }: TemplateMaker<M>,
  ): Promise<boolean> {
    const shape = this.#shapeOf(config);
    if (shape === undefined) return false;
    const key = await this.#options.keyOf(shape);
    if (background && (await this.#isThere(key))) return true;
    const about = `${this.#options.about}, ${shape.memoryMiB} MiB, ${shape.vcpus} vCPU, ${shape.disks.length} disks, ${shape.networks.length} cards`;
    await this.#store.save(key, { about }, async (unfinished) => {
      const runDirectory = await mkdtemp(join(tmpdir(), "dvm-"));
      try {
        const own = { ...shape, runDirectory };
        await using machine = await boot(own, unfinished);
        await setTimeout(SETTLE);
        await save(machine, unfinished, own);
      } finally {
        await rm(runDirectory, { recursive: true });
      }
    });
    return true;
  }

  #shapeOf(config: MachineConfig): MachineConfig | undefined {
    return shapeOf(config, this.#options);
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
