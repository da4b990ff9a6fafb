/** The `kvm` backend as the engine sees it: a process of our own VMM for each machine. */

import { VmmError } from "../errors.ts";
import type {
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  SaveTemplateOptions,
  StartOptions,
} from "../hypervisor.ts";
import { StageClock, StageError } from "../stage-clock.ts";
import { startFailure } from "../start-failure.ts";
import { templateMac } from "../template/machine-shape.ts";
import { MachineTemplates } from "../template/machine-templates.ts";
import type { UnfinishedTemplate } from "../template/template-store.ts";
import { vmmMain } from "../vmm-main.ts";
import { type OpenMachineOptions, openMachine } from "./open-machine.ts";
import { findVmm, spawnVmm, type VmmChild } from "./vmm-link.ts";
import { VmmProcess } from "./vmm-process.ts";
import { vmmTemplateKey } from "./vmm-template-key.ts";

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
  readonly #templates: MachineTemplates | undefined;

  constructor({ templates }: { readonly templates?: string | undefined } = {}) {
    if (templates === undefined) return;
    const options = { folder: templates, backend: this.name, keyOf: vmmTemplateKey };
    this.#templates = new MachineTemplates(options);
  }

  async start(config: MachineConfig, options: StartOptions = {}): Promise<VmmProcess> {
    const clone = await this.#tryClone(config, options);
    return clone ?? this.#start(config, options, { run: boot });
  }

  async saveTemplate(config: MachineConfig, options: SaveTemplateOptions = {}): Promise<boolean> {
    if (this.#templates === undefined) return false;
    const start = (shape: MachineConfig, saveTo: UnfinishedTemplate): Promise<VmmProcess> =>
      this.#start(shape, options, { run: boot, saveTo });
    return this.#templates.save(config, start, options);
  }

  /** A template that is no good, whatever the reason, is done without: nothing has run in the clone. */
  async #tryClone(config: MachineConfig, options: StartOptions): Promise<VmmProcess | undefined> {
    const { onTemplate = () => {}, signal } = options;
    using template = await this.#templates?.find(config, onTemplate);
    if (template === undefined) return undefined;
    try {
      const machine = await this.#start(config, options, { run: goOn, cloneOf: template });
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
    { run, ...template }: StartSteps,
  ): Promise<VmmProcess> {
    const clock = new StageClock({
      ...options,
      deadlines: { ...DEADLINES, ...options.deadlines },
    });
    let spawning: Promise<VmmChild> | undefined;
    let vmm: VmmProcess | undefined;
    try {
      const child = await clock.run("spawn", () => {
        spawning = spawn(config, { detached: options.detached ?? false, ...template });
        return spawning;
      });
      const macs = template.cloneOf && config.networks.map((_, index) => templateMac(index));
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
    try {
      await machine.connect();
    } catch (cause) {
      throw new VmmError("VMM_GONE", `the virtual machine ${vm.id} is no more`, { cause });
    }
    return machine;
  }
}

/** What is different between the starts of machines that boot, are saved, and are clones. */
interface StartSteps extends Omit<OpenMachineOptions, "detached"> {
  /** the stages after `configure` */
  readonly run: (machine: VmmProcess, child: VmmChild, clock: StageClock) => Promise<void>;
}

async function boot(machine: VmmProcess, child: VmmChild, clock: StageClock): Promise<void> {
  await clock.run("boot", () => child.guestOpened);
  await clock.run("agent", () => machine.agentSpoke());
}

/** The agent of a clone has spoken in the template: it listens already. */
async function goOn(): Promise<void> {}

async function spawn(config: MachineConfig, options: OpenMachineOptions): Promise<VmmChild> {
  const main = await vmmMain();
  using opened = openMachine(config, options);
  return await spawnVmm(main, config.runDirectory, opened);
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
