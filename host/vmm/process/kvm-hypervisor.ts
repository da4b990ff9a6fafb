/** The `kvm` backend as the engine sees it: a process of our own VMM for each machine. */

import { setPriority } from "node:os";
import { agentSpoke } from "../agent-spoke.ts";
import { VmmError } from "../errors.ts";
import type {
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  PrepareOptions,
  SaveTemplateOptions,
  SpareMachine,
  StartOptions,
} from "../hypervisor.ts";
import type { StageClock } from "../stage-clock.ts";
import { startInStages } from "../start-in-stages.ts";
import { templateMac } from "../template/machine-shape.ts";
import { BACKGROUND, MachineTemplates } from "../template/machine-templates.ts";
import { UnstartedSpare } from "../template/unstarted-spare.ts";
import { savedFiles } from "../template/vmm-saved-format.ts";
import { vmmTemplateKey } from "../template/vmm-template-key.ts";
import { vmmMain } from "../vmm-main.ts";
import { type OpenMachineOptions, openMachine } from "./open-machine.ts";
import { findVmm, spawnVmm, type VmmChild } from "./vmm-link.ts";
import { VmmProcess } from "./vmm-process.ts";

/** In `milliseconds`; ample for an emulated host. */
const DEADLINES: Readonly<Record<MachineStage, number>> = {
  spawn: 10_000,
  configure: 60_000,
  boot: 120_000,
  agent: 60_000,
};

export class KvmHypervisor implements Hypervisor {
  readonly name = "kvm";
  readonly accelerator = "kvm";
  readonly spares = "unstarted";
  readonly #templates: MachineTemplates | undefined;

  constructor({ templates }: { readonly templates?: string | undefined } = {}) {
    if (templates === undefined) return;
    const options = { folder: templates, about: this.name, keyOf: vmmTemplateKey, canShare: true };
    this.#templates = new MachineTemplates(options);
  }

  async start(config: MachineConfig, options: StartOptions = {}): Promise<VmmProcess> {
    const { detached = false, restoreFrom } = options;
    if (restoreFrom !== undefined) {
      const cloneOf = await savedFiles(restoreFrom);
      const spawn = () => spawnMachine(config, { detached, cloneOf });
      return this.#start(config, options, { spawn });
    }
    const clone = await this.#templates?.clone(config, options, (template) => {
      const spawn = () => spawnMachine(config, { detached, cloneOf: template });
      return this.#start(config, options, { spawn, isClone: true });
    });
    const spawn = () => spawnMachine(config, { detached });
    return clone ?? this.#start(config, options, { spawn, run: boot });
  }

  async saveTemplate(config: MachineConfig, options: SaveTemplateOptions = {}): Promise<boolean> {
    if (this.#templates === undefined) return false;
    return this.#templates.save(config, options, {
      boot: (shape) => {
        const spawn = () => spawnMachine(shape, { detached: false, blank: true }, options);
        return this.#start(shape, options, { spawn, run: boot });
      },
      save: (machine, files) => machine.save(files),
    });
  }

  /**
   * A process of the VMM that waits for its machine: the start of Node and its threads is most of a clone's, and half of
   * one that boots, there being no template.
   */
  async prepare(
    config: MachineConfig,
    { onProcess }: PrepareOptions = {},
  ): Promise<SpareMachine | undefined> {
    const child = await spawnVmm(await vmmMain(), config);
    onProcess?.(child.pid);
    await Promise.race([child.waiting, child.ended]);
    return new UnstartedSpare(child, config.runDirectory, async (own) => {
      using template = await this.#templates?.find(own, () => {});
      const isClone = template !== undefined;
      const cloneOf = template && { cloneOf: template };
      child.begin({ open: [own, { detached: true, here: true, ...cloneOf }] });
      const steps = isClone ? { isClone } : { run: boot };
      const machine = await this.#start(own, {}, { spawn: async () => child, ...steps });
      if (isClone) this.#templates?.watch(machine, template);
      return machine;
    });
  }

  async rejectTemplate(config: MachineConfig): Promise<void> {
    await this.#templates?.reject(config);
  }

  async shapeKey(config: MachineConfig): Promise<string | undefined> {
    return this.#templates?.keyOf(config);
  }

  #start(
    config: MachineConfig,
    options: StartOptions,
    { spawn, run, isClone = false }: StartSteps,
  ): Promise<VmmProcess> {
    const { id, networks, runDirectory } = config;
    const macs = isClone ? networks.map((_, index) => templateMac(index)) : undefined;
    const steps = {
      spawn: async () => new VmmProcess(await spawn(), runDirectory, macs),
      run: async (machine: VmmProcess, clock: StageClock) => {
        await clock.run("configure", () => machine.link.running);
        await machine.connect();
        await run?.(machine, clock);
      },
    };
    return startInStages({ id, accelerator: "kvm", deadlines: DEADLINES, ...steps }, options);
  }

  async adopt(vm: { readonly id: string; readonly runDirectory: string }): Promise<Machine> {
    const machine = new VmmProcess(findVmm(vm), vm.runDirectory);
    await machine.resume(); // it was maybe being saved when its daemon ended
    try {
      await machine.connect();
    } catch (cause) {
      throw new VmmError("VMM_GONE", `the virtual machine ${vm.id} is no more`, { cause });
    }
    return machine;
  }
}

/** What is different between the starts of machines that boot, are saved, and go on from others. */
interface StartSteps {
  readonly spawn: () => Promise<VmmChild>;
  /** whether its cards have the addresses of a template's */
  readonly isClone?: boolean;
  /** the stages after `configure`; absent: its agent has spoken before it was saved, and listens already */
  readonly run?: (machine: VmmProcess, clock: StageClock) => Promise<void>;
}

async function boot(machine: VmmProcess, clock: StageClock): Promise<void> {
  await clock.run("boot", () => machine.link.guestOpened);
  await clock.run("agent", () => agentSpoke(machine.agent));
}

async function spawnMachine(
  machine: MachineConfig,
  options: OpenMachineOptions,
  { background = false }: SaveTemplateOptions = {},
): Promise<VmmChild> {
  const main = await vmmMain();
  using opened = openMachine(machine, options);
  const child = await spawnVmm(main, machine, opened.descriptors);
  if (background) setPriority(child.pid, BACKGROUND);
  child.begin({ config: opened.config });
  return child;
}
