/** The QEMU backend: one QEMU process with a microvm machine for each VM. */

import type {
  Accelerator,
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  StartOptions,
} from "../hypervisor.ts";
import { StageClock, StageError } from "../stage-clock.ts";
import { startFailure } from "../start-failure.ts";
import { adoptQemu, spawnDetachedQemu } from "./detached-qemu.ts";
import { DiskFiles } from "./disk-files.ts";
import { findQemu } from "./find-qemu.ts";
import { qemuArguments } from "./qemu-arguments.ts";
import { QemuMachine } from "./qemu-machine.ts";
import { QemuProcess } from "./qemu-process.ts";
import type { Virtiofsd } from "./virtiofsd.ts";

export interface QemuHypervisorOptions {
  readonly accelerator: Accelerator;
  /** absolute path of QEMU; looked for on the PATH when left out */
  readonly binary?: string;
  /** frequency of the host's time stamp counter, in `kHz`, where known */
  readonly tscKhz?: number;
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
    const { accelerator } = this;
    const deadlines = { ...DEADLINES[accelerator], ...options.deadlines };
    const clock = new StageClock({ ...options, deadlines });
    let spawning: Promise<QemuMachine> | undefined;
    try {
      const machine = await clock.run("spawn", () => {
        spawning = this.#spawn(config, options.detached ?? false);
        return spawning;
      });
      await boot(machine, clock);
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

  async #spawn(config: MachineConfig, detached: boolean): Promise<QemuMachine> {
    const args = qemuArguments({ config, detached, ...this.#options });
    const binary = this.#options.binary ?? (await findQemu());
    await using parts = new AsyncDisposableStack();
    parts.use(await DiskFiles.prepare(config));
    const server = parts.use(await serveShares(config, detached));
    const spawning = detached
      ? spawnDetachedQemu({ binary, args, runDirectory: config.runDirectory })
      : QemuProcess.spawn(binary, args);
    const link = await spawning.catch(async (error) => {
      throw (await server?.failure()) ?? error;
    });
    const held = parts.move();
    const files = { [Symbol.asyncDispose]: () => held.disposeAsync() };
    return new QemuMachine(link, files, server);
  }
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
