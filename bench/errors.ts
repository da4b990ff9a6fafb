/** What can be wrong with a bench before and after it measures. */

import { errorTable } from "../host/errors.ts";

export const benchError = errorTable({
  ARGUMENTS: { exitCode: 1 },
  /** the user's own Ctrl-C: nothing has to be said */
  INTERRUPTED: { exitCode: 130 },
  UNKNOWN_SCENARIO: { exitCode: 125, hint: "dvm bench ls names them" },
  UNKNOWN_ARM: { exitCode: 125, hint: "dvm bench ls names them" },
  UNKNOWN_IMAGE: { exitCode: 125, hint: "name bench, busybox, or oci:FOLDER of a layout" },
  /** nothing of what was asked for runs on this machine */
  NOTHING_RUNS: { exitCode: 125 },
  /** an arm that ran elsewhere than it says */
  CONTROL_FAILED: { exitCode: 125 },
  /** a tool whose output is not what it was */
  NO_FIGURE: { exitCode: 125 },
  BAD_RESULT: { exitCode: 125, hint: "name a file that dvm bench wrote with --json" },
  /** results of two machines */
  NOT_COMPARABLE: {
    exitCode: 125,
    hint: "measure both on one machine, or say --force and mind the difference",
  },
  BAD_SPECIFICATION: { exitCode: 125 },
});
