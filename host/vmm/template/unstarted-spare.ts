/** A process of the VMM that waits for its machine: the start of Node and its threads is most of a clone's. */

import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Machine, MachineConfig, MachineExit, SpareMachine } from "../hypervisor.ts";
import { RunFile } from "../process/open-machine.ts";
import type { VmmChild } from "../process/vmm-link.ts";

export class UnstartedSpare implements SpareMachine {
  readonly pid: number;
  readonly exit: Promise<MachineExit>;
  readonly #child: VmmChild;
  readonly #runDirectory: string;
  readonly #begin: (config: MachineConfig) => Promise<Machine>;
  #isTaken = false;

  /** Takes over the process. @param begin gives it a machine; the process is gone when it fails */
  constructor(
    child: VmmChild,
    runDirectory: string,
    begin: (config: MachineConfig) => Promise<Machine>,
  ) {
    this.pid = child.pid;
    this.exit = child.ended.then(() => ({ reason: "vmm-error", message: "it waited for nobody" }));
    this.#child = child;
    this.#runDirectory = runDirectory;
    this.#begin = begin;
  }

  async become(config: MachineConfig): Promise<Machine> {
    try {
      for (const name of [RunFile.identity, RunFile.vmmLog]) {
        renameSync(join(this.#runDirectory, name), join(config.runDirectory, name));
      }
      const machine = await this.#begin(config);
      this.#isTaken = true;
      return machine;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTaken) return;
    this.#child.signal("SIGKILL");
    await this.#child.ended;
  }
}
