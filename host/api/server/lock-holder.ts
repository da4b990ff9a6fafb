/** Which daemon has a lock, as the lock's file says. */

import { readFileSync } from "node:fs";

/** Name of the lock of a data root, in it. */
export const LOCK_NAME = "dvmd.lock";

/** @returns the pid; `undefined` when nobody wrote one */
export function lockHolder(path: string): number | undefined {
  const text = readFileSync(path, "utf8").trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
