/** How a run ends for the client that is attached to its container: what is said, and with which code. */

import { printableText } from "../../printable-text.ts";

/** Exit code of a process that SIGKILL ended. */
const KILLED = 128 + 9;
/** When nobody reads the container's output any more: that of a process that SIGPIPE ended. */
export const OUTPUT_UNREAD = 128 + 13;
/** When the output's file takes no more: Docker's for a failure of its own. */
export const OUTPUT_FAILED = 125;
/** Said when the user has no more patience. */
export const ENDED_BY_FORCE = "dvm: forcefully ending the container\n";

/** @param why the system's words */
export function outputFailure(why: string): string {
  return `dvm: cannot write the container's output: ${why}\n`;
}

export function tellEnd(
  exit: { readonly exitCode: number; readonly oomKilled: boolean; readonly error?: string },
  write: (text: string) => void,
): void {
  if (exit.error !== undefined) write(`dvm: ${printableText(exit.error)}\n`);
  if (exit.oomKilled && exit.exitCode === KILLED)
    write("dvm: the container ran out of memory\n  hint: give it more with --memory\n");
}
