/** Machines of a container that this daemon does not run. */

import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isOwned, killMachine, runDirectoryPath } from "../run-directory.ts";

/** Looks whether another process has let go, and between two, in `milliseconds`. */
const LOOKS = 500;
const LOOK_AGAIN = 20;

/** Ends a machine that an earlier daemon was about to make, and removes its folder. */
export function clearRunDirectory(runRoot: string, id: string): void {
  killMachine(runRoot, id);
  rmSync(runDirectoryPath(runRoot, id), { recursive: true, force: true });
}

/** Ends a container that another process runs in itself. */
export async function endElsewhere(runRoot: string, id: string): Promise<void> {
  for (let look = 0; isOwned(runRoot, id) && look < LOOKS; look++) {
    killMachine(runRoot, id);
    await delay(LOOK_AGAIN);
  }
}
