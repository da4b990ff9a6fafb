/** `dvm run --rm --network none busybox …` by a daemon of its own, as an arm of a comparison. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isAlive, LOCK_NAME, lockHolder } from "../../host/api/server/lock-holder.ts";
import { enginePaths } from "../../host/engine/paths.ts";
import { DVM } from "../paths.ts";
import type { Arm } from "./interleave.ts";
import { processesWith } from "./processes.ts";
import { spawned } from "./spawned.ts";

export interface StartArmOptions {
  readonly name: string;
  /** the data root is made in it */
  readonly folder: string;
  /** whether machines are clones of booted ones; a daemon reads it when it starts */
  readonly template: "on" | "off";
  /** machines that are kept ready; each start waits for one before its time begins; absent: none */
  readonly pool?: number;
  /** what is timed; absent: `exit` */
  readonly until?: "exit" | "first-byte";
}

/** Longest time for a machine to be ready, in `milliseconds`. */
const PATIENCE = 20_000;

/** The first round starts the daemon; disposing of the arm ends it. */
export function startArm(options: StartArmOptions): Arm & Disposable {
  const { name, folder, template, pool = 0, until = "exit" } = options;
  const root = join(folder, pool === 0 ? template : "pool");
  const environment = [
    `DVM_TEMPLATE=${template}`,
    `DVM_POOL=${pool}`,
    `DVM_DATA_ROOT=${root}`,
    "DVM_UPDATE=off",
  ];
  const command = until === "exit" ? ["true"] : ["echo", "ready"];
  const words = ["run", "--rm", "--vmm", "qemu", "--network", "none", "busybox", ...command];
  return {
    name,
    once: async () => {
      if (pool > 0) await spareReady(root);
      const line = { command: "env", args: [...environment, DVM, ...words] };
      const { firstByte = Number.NaN, end } = await spawned(line);
      return until === "exit" ? end : firstByte;
    },
    [Symbol.dispose]: () => stopDaemon(root),
  };
}

/** A round that finds none is one without: the first ones, before there is a template or a start of the shape. */
async function spareReady(root: string): Promise<void> {
  const { runRoot } = enginePaths({ DVM_DATA_ROOT: root });
  const deadline = performance.now() + PATIENCE;
  if (!existsSync(join(root, LOCK_NAME))) return;
  while ((await processesWith(join(runRoot, "pool"))).length === 0) {
    if (performance.now() > deadline) return;
    await setTimeout(50);
  }
  // it is paused when its warm-up is over
  await setTimeout(1000);
}

function stopDaemon(root: string): void {
  const lock = join(root, LOCK_NAME);
  const pid = existsSync(lock) ? lockHolder(lock) : undefined;
  if (pid !== undefined && isAlive(pid)) process.kill(pid);
}
