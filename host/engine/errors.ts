/** What the engine refuses or cannot do. */

import { errorTable } from "../errors.ts";

export const engineError = errorTable({
  CONFIG_INVALID: { exitCode: 125 },
  NAME_TAKEN: {
    exitCode: 125,
    hint: "remove that container (dvm rm), rename it, or pick another name",
  },
  NO_SUCH_CONTAINER: { exitCode: 1, hint: "dvm ps -a lists the containers" },
  WRONG_STATE: { exitCode: 1 },
  NOT_SUPPORTED: { exitCode: 125 },
  ARTIFACT_MISSING: { exitCode: 125, hint: "run 'npm run setup' in the project's folder" },
  DATA_ROOT_UNUSABLE: {
    exitCode: 125,
    hint: "name another folder with --data-root or DVM_DATA_ROOT",
  },
  STATE_CORRUPT: { exitCode: 125, hint: "remove the container with dvm rm -f" },
  STAGE_TIMEOUT: {
    exitCode: 125,
    hint: "the machine may be overloaded: try again; dvm doctor checks the set-up",
  },
  MACHINE_LOST: {
    exitCode: 125,
    hint: "run again with --verbose, and see dvm doctor",
  },
});
