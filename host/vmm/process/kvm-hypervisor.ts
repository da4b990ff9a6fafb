/** The `kvm` backend as the engine sees it: a process of our own VMM for each machine. */

import { setPriority } from "node:os";
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
import { StageClock, StageError } from "../stage-clock.ts";
import { startFailure } from "../start-failure.ts";
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
      return this.#start(config, options, { spawn, run: goOn });
    }
    const clone = await this.#tryClone(config, options);
    if (clone !== undefined) return clone;
    return this.#start(config, options, {
      spawn: () => spawnMachine(config, { detached }),
      run: boot,
    });
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
      const run = isClone ? goOn : boot;
      const machine = await this.#start(own, {}, { spawn: async () => child, run, isClone });
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

  /** A template that is no good, whatever the reason, is done without: nothing has run in the clone. */
  async #tryClone(config: MachineConfig, options: StartOptions): Promise<VmmProcess | undefined> {
    const { onTemplate = () => {}, signal, detached = false, fresh = false } = options;
    using template = fresh ? undefined : await this.#templates?.find(config, onTemplate);
    if (template === undefined) return undefined;
    try {
      const spawn = () => spawnMachine(config, { detached, cloneOf: template });
      const machine = await this.#start(config, options, { spawn, run: goOn, isClone: true });
      this.#templates?.watch(machine, template);
      onTemplate({ kind: "cloned" });
      return machine;
    } catch (error) {
      if (signal?.aborted || !(error instanceof VmmError)) throw error;
      await this.#templates?.reject(config);
      onTemplate({ kind: "unusable", reason: error.message });
      return undefined;
    }
  }

  /** The stages of a start, torn down if one of them fails. */
  async #start(
    config: MachineConfig,
    options: StartOptions,
    { spawn, run, isClone = false }: StartSteps,
  ): Promise<VmmProcess> {
    const clock = new StageClock({
      ...options,
      deadlines: { ...DEADLINES, ...options.deadlines },
    });
    let spawning: Promise<VmmChild> | undefined;
    let vmm: VmmProcess | undefined;
    try {
      const child = await clock.run("spawn", () => {
        spawning = spawn();
        return spawning;
      });
      const macs = isClone ? config.networks.map((_, index) => templateMac(index)) : undefined;
      const machine = new VmmProcess(child, config.runDirectory, macs);
      vmm = machine;
      clock.watch(machine.exit);
      await clock.run("configure", () => child.running);
      await machine.connect();
      await run(machine, child, clock);
      return machine;
    } catch (error) {
      await vmm?.[Symbol.asyncDispose]();
      if (vmm === undefined) await abandon(spawning);
      if (!(error instanceof StageError)) throw error;
      const consoleTail = (lines: number): string => vmm?.consoleTail(lines) ?? "";
      throw startFailure({ error, id: config.id, accelerator: "kvm", consoleTail });
    }
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
  /** the stages after `configure` */
  readonly run: (machine: VmmProcess, child: VmmChild, clock: StageClock) => Promise<void>;
}

async function boot(machine: VmmProcess, child: VmmChild, clock: StageClock): Promise<void> {
  await clock.run("boot", () => child.guestOpened);
  await clock.run("agent", () => machine.agentSpoke());
}

/** The agent of one that was saved has spoken before: it listens already. */
async function goOn(): Promise<void> {}

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

/** Ends the process of a spawn that was cut short, which still comes to its end. */
async function abandon(spawning: Promise<VmmChild> | undefined): Promise<void> {
  try {
    const child = await spawning;
    child?.signal("SIGKILL");
    await child?.ended;
  } catch {
    // The spawn failed by itself, and the stage has said so.
  }
}
