/** The user's terminal in raw mode: every key goes to the container, every byte of its output to the terminal. */

import type { CliContext } from "../command.ts";

/**
 * Switches the terminal to raw mode; disposing of the result brings it back, and so does the end of the process
 * however it comes about, short of SIGKILL.
 */
export function enterRawMode(stdin: CliContext["stdin"]): Disposable {
  const set = () => {
    stdin.setRawMode?.(true);
    endOutputProcessing(stdin.fd);
  };
  const restore = () => stdin.setRawMode?.(false);
  // a process that was stopped comes back to a terminal that its shell has changed; a mode that Node takes to be
  // set already is not set again
  const again = () => {
    restore();
    set();
  };
  set();
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

/**
 * Node's raw mode still puts a carriage return before each line feed (libuv uv_tty_set_mode sets ONLCR), which the
 * guest's terminal does already where its programs want it; those that move the cursor by a line feed do not.
 */
function endOutputProcessing(fd: number | undefined): void {
  if (fd === undefined) return;
  // loaded here: most starts have no terminal
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  spawnSync("stty", ["-opost"], { stdio: [fd, "ignore", "ignore"] });
}
