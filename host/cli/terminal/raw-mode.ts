/** The user's terminal in raw mode: every key goes to the container. */

import type { CliContext } from "../command.ts";

/**
 * Switches the terminal to raw mode; disposing of the result brings it back, and so does the end of the process
 * however it comes about, short of SIGKILL.
 */
export function enterRawMode(stdin: CliContext["stdin"]): Disposable {
  const set = (mode: boolean) => stdin.setRawMode?.(mode);
  const restore = () => set(false);
  // a process that was stopped comes back to a terminal that its shell has changed
  const again = () => set(true);
  set(true);
  process.on("exit", restore);
  process.on("SIGCONT", again);
  return {
    [Symbol.dispose]() {
      process.off("exit", restore);
      process.off("SIGCONT", again);
      restore();
    },
  };
}
