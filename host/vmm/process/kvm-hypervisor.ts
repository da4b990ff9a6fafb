/** The `kvm` backend as the engine sees it: a process of our own VMM for each machine. */

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

  async start(config: MachineConfig, options: StartOptions = {}): Promise<Machine> {
    const clock = new StageClock({
      ...options,
      deadlines: { ...DEADLINES, ...options.deadlines },
    });
    let vmm: VmmProcess | undefined;
    try {
      vmm = await clock.run("spawn", () => spawnVmm(config));
      clock.watch(vmm.exit);
      const { running, guestOpened } = vmm;
      const agentSpoke = vmm.agentSpoke.bind(vmm);
      await clock.run("configure", () => running);
      await vmm.connect();
      await clock.run("boot", () => guestOpened);
      await clock.run("agent", agentSpoke);
      return vmm;
    } catch (error) {
      await vmm?.[Symbol.asyncDispose]();
      if (!(error instanceof StageError)) throw error;
      const consoleTail = (lines: number): string => vmm?.consoleTail(lines) ?? "";
      throw startFailure({ error, id: config.id, accelerator: "kvm", consoleTail });
    }
  }
}

async function spawnVmm(config: MachineConfig): Promise<VmmProcess> {
  const main = await vmmMain();
  using opened = openMachine(config);
  const vmm = new VmmProcess(main, config.runDirectory, opened);
  await vmm.spawned;
  return vmm;
}
