/** What can be wrong with a command line, and what only the client can run into. */

import { errorTable } from "../errors.ts";

export const cliError = errorTable({
  /** a flag or its value; shown with the command's usage line */
  USAGE: { exitCode: 125 },
  /** missing or superfluous arguments; shown with the command's usage line */
  ARGUMENTS: { exitCode: 1 },
  UNKNOWN_COMMAND: { exitCode: 1 },
  /** of --format */
  TEMPLATE: { exitCode: 1 },
  NO_SUCH_OBJECT: { exitCode: 1 },
  /** a container that is not as the command needs it */
  WRONG_STATE: { exitCode: 1 },
  /** a path of the user's own that cannot be read or written */
  LOCAL_FILE: { exitCode: 1 },
  /** flags that are each right and contradict each other */
  CONFLICT: { exitCode: 125 },
  /** a file that a flag names */
  FLAG_FILE: { exitCode: 125 },
  /** a flag that Docker has and dvm does not yet */
  UNSUPPORTED: { exitCode: 125 },
  NOT_A_TERMINAL: { exitCode: 1, hint: "leave out -t, or run dvm from a terminal" },
});
