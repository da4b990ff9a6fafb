/** What is to be said of the end of a container that its client was attached to. */

import { printableText } from "../../printable-text.ts";

/** Exit code of a process that SIGKILL ended. */
const KILLED = 128 + 9;

export function tellEnd(
  exit: { readonly exitCode: number; readonly oomKilled: boolean; readonly error?: string },
  write: (text: string) => void,
): void {
  if (exit.error !== undefined) write(`dvm: ${printableText(exit.error)}\n`);
  if (exit.oomKilled && exit.exitCode === KILLED)
    write("dvm: the container ran out of memory\n  hint: give it more with --memory\n");
}
