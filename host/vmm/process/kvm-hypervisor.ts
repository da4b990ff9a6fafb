/** The `kvm` backend as the engine sees it: a process of our own VMM for each machine. */

import { VmmError } from "../errors.ts";
import type {
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  StartOptions,
} from "../hypervisor.ts";
import { StageClock, StageError } from "../stage-clock.ts";
import { startFailure } from "../start-failure.ts";
import { vmmMain } from "./bundle.ts";
import { openMachine } from "./open-machine.ts";
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

  async start(config: MachineConfig, options: StartOptions = {}): Promise<VmmProcess> {
    const clock = new StageClock({
      ...options,
      deadlines: { ...DEADLINES, ...options.deadlines },
    });
    let spawning: Promise<VmmChild> | undefined;
    let vmm: VmmProcess | undefined;
    try {
      const child = await clock.run("spawn", () => {
        spawning = spawn(config, options.detached ?? false);
        return spawning;
      });
      const machine = new VmmProcess(child, config.runDirectory);
      vmm = machine;
      clock.watch(machine.exit);
      await clock.run("configure", () => child.running);
      await machine.connect();
      await clock.run("boot", () => child.guestOpened);
      await clock.run("agent", () => machine.agentSpoke());
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

async function spawn(config: MachineConfig, detached: boolean): Promise<VmmChild> {
  const main = await vmmMain();
  using opened = openMachine(config, { detached });
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
