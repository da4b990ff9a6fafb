/** A clone of a template that waits for its container: its disks and its sockets come when it is taken. */

import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { Machine, MachineConfig, MachineExit, SpareMachine, WarmUp } from "../hypervisor.ts";
import { AGENT_SOCKET, CONSOLE_SOCKET, QMP_SOCKET } from "./qemu-arguments.ts";
import type { QemuMachine } from "./qemu-machine.ts";

export class QemuSpare implements SpareMachine {
  readonly pid: number;
  readonly exit: Promise<MachineExit>;
  readonly #machine: QemuMachine;
  readonly #runDirectory: string;
  #isTaken = false;

  /** Takes over a machine that runs and was made without disks. */
  constructor(machine: QemuMachine, runDirectory: string) {
    this.#machine = machine;
    this.#runDirectory = runDirectory;
    this.pid = machine.pid;
    this.exit = machine.exit;
  }

  async become(config: MachineConfig): Promise<Machine> {
    this.#isTaken = true;
    const machine = this.#machine;
    const { runDirectory, disks } = config;
    try {
      await Promise.all([
        machine.fillDisks(disks),
        ...[QMP_SOCKET, CONSOLE_SOCKET, AGENT_SOCKET].map((name) =>
          rename(join(this.#runDirectory, name), join(runDirectory, name)),
        ),
      ]);
      await machine.resume();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isTaken) await this.#machine[Symbol.asyncDispose]();
  }
}

/** Has a machine that was made without disks do its warm-up; its disks are empty again afterwards. */
export async function warmUpMachine(machine: QemuMachine, { disks, run }: WarmUp): Promise<void> {
  await machine.fillDisks(disks);
  await run(machine);
  await machine.emptyDisks(disks);
}
