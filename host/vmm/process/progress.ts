/** What the VMM process tells its parent on standard output while it starts, one byte each. */

import { writeSync } from "node:fs";

const STDOUT = 1;

export const Told = {
  /** the thread of a vCPU is up: one that was started ahead of its machine can have it */
  waiting: "w",
  /** the machine is made, sandboxed, and about to run its first instruction */
  running: "r",
  /** a program in the guest has opened the agent's port */
  guestOpen: "o",
} as const;

/** Tells it; a parent that has gone needs to know nothing. */
export function tell(what: (typeof Told)[keyof typeof Told]): void {
  try {
    writeSync(STDOUT, what);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  }
}
