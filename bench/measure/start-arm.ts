/** `dvm run --rm --network none busybox true` by a daemon of its own, as an arm of a comparison. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { isAlive, LOCK_NAME, lockHolder } from "../../host/api/server/lock-holder.ts";
import { DVM } from "../paths.ts";
import { runCommand } from "./command.ts";
import type { Arm } from "./interleave.ts";

export interface StartArmOptions {
  readonly name: string;
  /** the data root is made in it */
  readonly folder: string;
  /** whether machines are clones of booted ones; a daemon reads it when it starts */
  readonly template: "on" | "off";
}

/** The first round starts the daemon; disposing of the arm ends it. */
export function startArm({ name, folder, template }: StartArmOptions): Arm & Disposable {
  const root = join(folder, template);
  const environment = [`DVM_TEMPLATE=${template}`, `DVM_DATA_ROOT=${root}`];
  const words = ["run", "--rm", "--vmm", "qemu", "--network", "none", "busybox", "true"];
  return {
    name,
    once: async () => (await runCommand("env", [...environment, DVM, ...words])).milliseconds,
    [Symbol.dispose]: () => stopDaemon(root),
  };
}

function stopDaemon(root: string): void {
  const lock = join(root, LOCK_NAME);
  const pid = existsSync(lock) ? lockHolder(lock) : undefined;
  if (pid !== undefined && isAlive(pid)) process.kill(pid);
}
