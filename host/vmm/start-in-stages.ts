/** The stages of a machine's start, whatever the backend. */

import type { Accelerator, Machine, MachineStage, StartOptions } from "./hypervisor.ts";
import { StageClock, StageError } from "./stage-clock.ts";
import { startFailure } from "./start-failure.ts";

export interface StagedStart<M extends Machine> {
  /** name of the machine */
  readonly id: string;
  readonly accelerator: Accelerator;
  /** the backend's own, in `milliseconds` */
  readonly deadlines: Readonly<Record<MachineStage, number>>;
  /** stage `spawn` */
  readonly spawn: () => Promise<M>;
  /** the stages after it */
  readonly run: (machine: M, clock: StageClock) => Promise<void>;
}

/** Goes through them; a machine of which one fails is torn down. @throws {VmmError} naming the stage */
export async function startInStages<M extends Machine>(
  { id, accelerator, deadlines, spawn, run }: StagedStart<M>,
  options: StartOptions,
): Promise<M> {
  const clock = new StageClock({ ...options, deadlines: { ...deadlines, ...options.deadlines } });
  let spawning: Promise<M> | undefined;
  try {
    const machine = await clock.run("spawn", () => {
      spawning = spawn();
      return spawning;
    });
    clock.watch(machine.exit);
    await run(machine, clock);
    return machine;
  } catch (error) {
    const machine = await abandoned(spawning);
    if (!(error instanceof StageError)) throw error;
    const consoleTail = (lines: number) => machine?.consoleTail(lines) ?? "";
    throw startFailure({ error, id, accelerator, consoleTail });
  }
}

/** A spawn that was cut short still comes to its end: what it made is torn down, and its console can be read. */
async function abandoned<M extends Machine>(
  spawning: Promise<M> | undefined,
): Promise<M | undefined> {
  try {
    const machine = await spawning;
    await machine?.[Symbol.asyncDispose]();
    return machine;
  } catch {
    // The spawn failed by itself, and the stage has said so.
    return undefined;
  }
}
