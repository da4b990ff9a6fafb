/** Whose things a caller may see and touch. */

import type { Caller } from "../../engine/daemon/model.ts";

/** root everybody's, anyone else their own; without an owner it is the daemon's user's. */
export function mayTouch(caller: Caller, owner: number | undefined): boolean {
  return caller.uid === 0 || caller.uid === (owner ?? process.getuid?.() ?? 0);
}
