/** Which daemon has a lock, as the lock's file says. */

import { readFileSync } from "node:fs";

/** Name of the lock of a data root, in it. */
export const LOCK_NAME = "dvmd.lock";

/** @returns the pid; `undefined` when nobody wrote one */
export function lockHolder(path: string): number | undefined {
  const text = readFileSync(path, "utf8").trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether there is a process of this number. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
