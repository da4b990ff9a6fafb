/** The QEMU backend: one QEMU process with a microvm machine for each VM. */

import type {
  Accelerator,
  AdoptedMachine,
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  PrepareOptions,
  SavedMachine,
  SaveTemplateOptions,
  SpareMachine,
  StartOptions,
} from "../hypervisor.ts";
import type { StageClock } from "../stage-clock.ts";
import { startInStages } from "../start-in-stages.ts";
import { templateMac } from "../template/machine-shape.ts";
import type { Template } from "../template/template-store.ts";
import { adoptQemu, spawnDetachedQemu } from "./detached-qemu.ts";
import { DiskFiles } from "./disk-files.ts";
import { findQemu } from "./find-qemu.ts";
import { jailEntries } from "./jail-entries.ts";
import { qemuArguments } from "./qemu-arguments.ts";
import { QemuMachine } from "./qemu-machine.ts";
import { QemuProcess } from "./qemu-process.ts";
import { QemuSpare, warmUpMachine } from "./qemu-spare.ts";
import type { QemuTemplates } from "./qemu-templates.ts";
import { checkVersion, readFormat } from "./saved-format.ts";
import {
  type MemoryKind,
  TEMPLATE_MEMORY_FD,
  TEMPLATE_STATE_FD,
  type TemplateRole,
} from "./template-arguments.ts";
import type { Virtiofsd } from "./virtiofsd.ts";

export interface QemuHypervisorOptions {
  readonly accelerator: Accelerator;
  /** absolute path of QEMU; looked for on the PATH when left out */
  readonly binary?: string;
  /** frequency of the host's time stamp counter, in `kHz`, where known */
  readonly tscKhz?: number;
  /** folder of the templates; absent: every machine boots */
  readonly templates?: string;
}

/** In `milliseconds`: some twenty times what a quiet machine takes. */
const DEADLINES: Record<Accelerator, Record<MachineStage, number>> = {
  kvm: { spawn: 10_000, configure: 20_000, boot: 30_000, agent: 10_000 },
  tcg: { spawn: 10_000, configure: 20_000, boot: 60_000, agent: 20_000 },
};

export class QemuHypervisor implements Hypervisor {
  readonly name = "qemu";
  readonly spares = "warm";
  readonly accelerator: Accelerator;
  readonly #options: QemuHypervisorOptions;

  constructor(options: QemuHypervisorOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
  }

  async start(config: MachineConfig, options: StartOptions = {}): Promise<Machine> {
    const { detached, restoreFrom } = options;
    if (restoreFrom !== undefined) {
      const { memory } = readFormat(restoreFrom.format);
      const spawn = () => this.#spawn(config, { detached, restored: memory });
      const run = (machine: QemuMachine, clock: StageClock) => goOn(machine, clock, restoreFrom);
      return this.#start(config, options, { spawn, run });
    }
    const clone = await (await this.#templates())?.clone(config, options, (template) => {
      const spawn = () => this.#spawn(config, { detached, template });
      return this.#start(config, options, { spawn, run: restore });
    });
    const spawn = () => this.#spawn(config, { detached });
    return clone ?? this.#start(config, options, { spawn, run: boot });
  }

  async saveTemplate(config: MachineConfig, options: SaveTemplateOptions = {}): Promise<boolean> {
    const templates = await this.#templates();
    if (templates === undefined) return false;
    const none = { [Symbol.asyncDispose]: async () => {} };
    return templates.make(
      config,
      async (spawnQemu) => {
        const spawn = async () => new QemuMachine(await spawnQemu(), none);
        const machine = await this.#start(config, options, { spawn, run: boot });
        return this.#warmedUp(machine, options);
      },
      options,
    );
  }

  async prepare(
    config: MachineConfig,
    options: PrepareOptions = {},
  ): Promise<SpareMachine | undefined> {
    const templates = await this.#templates();
    using template = await templates?.find(config, () => {});
    if (template === undefined) return undefined;
    // a spare knows no files but its own
    const own = { ...config, disks: [] };
    const spawn = async () => {
      const machine = await this.#spawn(config, { detached: true, template, spare: own });
      options.onProcess?.(machine.pid);
      return machine;
    };
    const machine = await this.#start(config, options, { spawn, run: restore });
    await this.#warmedUp(machine, options);
    await machine.pause();
    return new QemuSpare(machine, config.runDirectory);
  }

  async rejectTemplate(config: MachineConfig): Promise<void> {
    await (await this.#templates())?.reject(config);
  }

  async shapeKey(config: MachineConfig): Promise<string | undefined> {
    return (await this.#templates())?.keyOf(config);
  }

  /** The machine, after it has done what its clones are to find done. */
  async #warmedUp(machine: QemuMachine, { warmUp }: PrepareOptions): Promise<QemuMachine> {
    try {
      if (warmUp !== undefined) await warmUpMachine(machine, warmUp);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Loaded for those who want any. */
  async #templates(): Promise<QemuTemplates | undefined> {
    const { templates: folder, binary, ...rest } = this.#options;
    if (folder === undefined) return undefined;
    const { QemuTemplates: Templates } = await import("./qemu-templates.ts");
    return new Templates({ ...rest, folder, binary: async () => binary ?? findQemu() });
  }

  #start(config: MachineConfig, options: StartOptions, steps: StartSteps): Promise<QemuMachine> {
    const { accelerator } = this;
    const deadlines = DEADLINES[accelerator];
    return startInStages({ id: config.id, accelerator, deadlines, ...steps }, options);
  }

  async adopt(vm: AdoptedMachine): Promise<Machine> {
    const link = await adoptQemu(vm);
    // what it needs beside its disks lies in the run directory and goes with it
    const machine = new QemuMachine(link, { [Symbol.asyncDispose]: async () => {} });
    await machine.negotiate();
    await machine.recover(vm.disks ?? []);
    return machine;
  }

  async #spawn(
    config: MachineConfig,
    { detached = false, template, spare, restored }: SpawnOptions,
  ): Promise<QemuMachine> {
    const role = roleOf({ template, spare, restored });
    const args = qemuArguments({
      config,
      detached,
      ...this.#options,
      ...(role && { template: role }),
    });
    const inherited = template === undefined ? [] : [template.stateFd, template.memoryFd];
    const binary = this.#options.binary ?? (await findQemu());
    await using parts = new AsyncDisposableStack();
    if (spare === undefined) parts.use(await DiskFiles.prepare(config));
    const server = parts.use(await serveShares(config, detached));
    const entries = jailEntries({
      config: spare ?? config,
      accelerator: this.accelerator,
      inherited: template === undefined ? [] : [TEMPLATE_MEMORY_FD],
    });
    const spawning = detached
      ? spawnDetachedQemu({
          binary,
          args,
          runDirectory: config.runDirectory,
          entries,
          template: inherited,
        })
      : QemuProcess.spawn(binary, args, { entries, inherited, isClone: template !== undefined });
    const link = await spawning.catch(async (error) => {
      throw (await server?.failure()) ?? error;
    });
    const held = parts.move();
    const files = { [Symbol.asyncDispose]: () => held.disposeAsync() };
    const clonedMacs = template && config.networks.map((_, index) => templateMac(index));
    return new QemuMachine(link, files, { server, clonedMacs });
  }
}

interface SpawnOptions {
  readonly detached: boolean | undefined;
  /** of which it is a clone */
  readonly template?: Template | undefined;
  /** of a machine whose disks and networks come later: the configuration without them */
  readonly spare?: MachineConfig | undefined;
  /** of a machine that was saved: its memory */
  readonly restored?: MemoryKind | undefined;
}

function roleOf({
  template,
  spare,
  restored,
}: Omit<SpawnOptions, "detached">): TemplateRole | undefined {
  if (restored !== undefined) return { kind: "restored", memory: restored };
  if (template === undefined) return undefined;
  return { kind: spare === undefined ? "clone" : "spare" };
}

/** What is different between the starts of a machine that boots and of one that is a clone. */
interface StartSteps {
  /** stage `spawn` */
  readonly spawn: () => Promise<QemuMachine>;
  /** the stages after it */
  readonly run: (machine: QemuMachine, clock: StageClock) => Promise<void>;
}

/** Nothing of it is loaded for a machine without shares. */
async function serveShares(
  { shares, runDirectory }: MachineConfig,
  detached: boolean,
): Promise<Virtiofsd | undefined> {
  if (shares.length === 0) return undefined;
  const { Virtiofsd: Server } = await import("./virtiofsd.ts");
  return Server.start({ shares, runDirectory, detached });
}

/** The stages after `spawn`. The guest boots while QMP is negotiated. */
async function boot(machine: QemuMachine, clock: StageClock): Promise<void> {
  await clock.run("configure", () => machine.negotiate());
  await clock.run("boot", () => machine.agentPortOpened());
  await clock.run("agent", () => machine.agentSpoke());
}

/** The same for a clone, whose agent has spoken in the template: it listens already. */
async function restore(machine: QemuMachine, clock: StageClock): Promise<void> {
  await clock.run("configure", () => machine.negotiate());
  await clock.run("boot", () => machine.restore(TEMPLATE_STATE_FD));
}

/** The same for a machine that was saved. */
async function goOn(machine: QemuMachine, clock: StageClock, saved: SavedMachine): Promise<void> {
  await clock.run("configure", () => machine.negotiate());
  checkVersion(saved.format, machine.version);
  await clock.run("boot", () => machine.restoreSaved(saved.path));
}
