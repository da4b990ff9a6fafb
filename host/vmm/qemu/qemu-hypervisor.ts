/** The QEMU backend: one QEMU process with a microvm machine for each VM. */

import { VmmError } from "../errors.ts";
import type {
  Accelerator,
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  SaveTemplateOptions,
  StartOptions,
} from "../hypervisor.ts";
import { StageClock, StageError } from "../stage-clock.ts";
import { startFailure } from "../start-failure.ts";
import type { Template } from "../template/template-store.ts";
import { adoptQemu, spawnDetachedQemu } from "./detached-qemu.ts";
import { DiskFiles } from "./disk-files.ts";
import { findQemu } from "./find-qemu.ts";
import { qemuArguments } from "./qemu-arguments.ts";
import { QemuMachine } from "./qemu-machine.ts";
import { QemuProcess } from "./qemu-process.ts";
import type { QemuTemplates } from "./qemu-templates.ts";
import { TEMPLATE_STATE_FD, templateMac } from "./template-arguments.ts";
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
  readonly accelerator: Accelerator;
  readonly #options: QemuHypervisorOptions;

  constructor(options: QemuHypervisorOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
  }

  async start(config: MachineConfig, options: StartOptions = {}): Promise<Machine> {
    const clone = await this.#tryClone(config, options);
    if (clone !== undefined) return clone;
    const spawn = () => this.#spawn(config, { detached: options.detached });
    return this.#start(config, options, { spawn, run: boot });
  }

  async saveTemplate(config: MachineConfig, options: SaveTemplateOptions = {}): Promise<boolean> {
    const templates = await this.#templates();
    if (templates === undefined) return false;
    const none = { [Symbol.asyncDispose]: async () => {} };
    return templates.save(
      config,
      (spawnQemu) => {
        const spawn = async () => new QemuMachine(await spawnQemu(), none);
        return this.#start(config, options, { spawn, run: boot });
      },
      options,
    );
  }

  /** Loaded for those who want any. */
  async #templates(): Promise<QemuTemplates | undefined> {
    const { templates: folder, binary, ...rest } = this.#options;
    if (folder === undefined) return undefined;
    const { QemuTemplates: Templates } = await import("./qemu-templates.ts");
    return new Templates({ ...rest, folder, binary: async () => binary ?? findQemu() });
  }

  /** A template that is no good, whatever the reason, is done without: nothing has run in the clone. */
  async #tryClone(config: MachineConfig, options: StartOptions): Promise<Machine | undefined> {
    const { onTemplate = () => {}, signal } = options;
    const templates = await this.#templates();
    using template = await templates?.find(config, onTemplate);
    if (templates === undefined || template === undefined) return undefined;
    const spawn = () => this.#spawn(config, { detached: options.detached, template });
    try {
      const machine = await this.#start(config, options, { spawn, run: restore });
      onTemplate({ kind: "cloned" });
      return machine;
    } catch (error) {
      if (signal?.aborted || !(error instanceof VmmError)) throw error;
      await templates.reject(config);
      onTemplate({ kind: "unusable", reason: error.message });
      return undefined;
    }
  }

  /** The stages of a start, torn down if one of them fails. */
  async #start(
    config: MachineConfig,
    options: StartOptions,
    { spawn, run }: StartSteps,
  ): Promise<QemuMachine> {
    const { accelerator } = this;
    const deadlines = { ...DEADLINES[accelerator], ...options.deadlines };
    const clock = new StageClock({ ...options, deadlines });
    let spawning: Promise<QemuMachine> | undefined;
    try {
      const machine = await clock.run("spawn", () => {
        spawning = spawn();
        return spawning;
      });
      await run(machine, clock);
      return machine;
    } catch (error) {
      const machine = await abandoned(spawning);
      if (!(error instanceof StageError)) throw error;
      const consoleTail = (lines: number) => machine?.consoleTail(lines) ?? "";
      throw startFailure({ error, id: config.id, accelerator, consoleTail });
    }
  }

  async adopt(vm: Pick<MachineConfig, "id" | "runDirectory">): Promise<Machine> {
    const link = await adoptQemu(vm);
    // what it needs beside its disks lies in the run directory and goes with it
    const machine = new QemuMachine(link, { [Symbol.asyncDispose]: async () => {} });
    await machine.negotiate();
    return machine;
  }

  async #spawn(
    config: MachineConfig,
    { detached = false, template }: SpawnOptions,
  ): Promise<QemuMachine> {
    const role = template === undefined ? {} : { template: { kind: "clone" } as const };
    const args = qemuArguments({ config, detached, ...this.#options, ...role });
    const inherited = template === undefined ? [] : [template.state, template.memory];
    const binary = this.#options.binary ?? (await findQemu());
    await using parts = new AsyncDisposableStack();
    parts.use(await DiskFiles.prepare(config));
    const server = parts.use(await serveShares(config, detached));
    const spawning = detached
      ? spawnDetachedQemu({
          binary,
          args,
          runDirectory: config.runDirectory,
          template: inherited,
        })
      : QemuProcess.spawn(binary, args, { inherited });
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
  readonly template?: Template;
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
  clock.watch(machine.exit);
  await clock.run("configure", () => machine.negotiate());
  await clock.run("boot", () => machine.agentPortOpened());
  await clock.run("agent", () => machine.agentSpoke());
}

/** The same for a clone, whose agent has spoken in the template: it listens already. */
async function restore(machine: QemuMachine, clock: StageClock): Promise<void> {
  clock.watch(machine.exit);
  await clock.run("configure", () => machine.negotiate());
  await clock.run("boot", () => machine.restore(TEMPLATE_STATE_FD));
}

/**
 * Tears down what a failed start has made. A spawn that was cut short by an abort still comes to its end, and has to
 * be waited for: its process is killed then.
 */
async function abandoned(
  spawning: Promise<QemuMachine> | undefined,
): Promise<QemuMachine | undefined> {
  try {
    const machine = await spawning;
    await machine?.[Symbol.asyncDispose]();
    return machine;
  } catch {
    // The spawn failed by itself, and the stage has said so.
    return undefined;
  }
}
