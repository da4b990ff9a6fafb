/** What the engine refuses or cannot do. */

import { getSystemErrorMessage } from "node:util";
import { errorTable } from "../errors.ts";

export const engineError = errorTable({
  CONFIG_INVALID: { exitCode: 125 },
  NAME_TAKEN: {
    exitCode: 125,
    hint: "remove that container (dvm rm), rename it, or pick another name",
  },
  NO_SUCH_CONTAINER: { exitCode: 1, hint: "dvm ps -a lists the containers" },
  NO_SUCH_EXEC: { exitCode: 1 },
  NO_SUCH_PATH: { exitCode: 1 },
  NO_SUCH_SNAPSHOT: { exitCode: 1, hint: "dvm snapshot ls lists them" },
  SNAPSHOT_EXISTS: { exitCode: 1, hint: "remove it (dvm snapshot rm), or pick another name" },
  NO_SUCH_TEMPLATE: { exitCode: 1, hint: "dvm template ls lists them" },
  WRONG_STATE: { exitCode: 1 },
  NOT_SUPPORTED: { exitCode: 125 },
  ARTIFACT_MISSING: { exitCode: 125, hint: "run 'npm run setup' in the project's folder" },
  DATA_ROOT_UNUSABLE: {
    exitCode: 125,
    hint: "make room there, or name another folder with --data-root or DVM_DATA_ROOT",
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

/** Failures that say something about the disk, and nothing about dvm. */
const DISK_FAILURES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/** Gives a full or read-only disk beneath `folder` an error of its own; any other error passes as it is. */
export function storageFailure(error: unknown, folder: string): unknown {
  const { code, errno } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === undefined || errno === undefined || !DISK_FAILURES.has(code)) return error;
  const message = `cannot write to ${folder}: ${getSystemErrorMessage(errno)}`;
  return engineError("DATA_ROOT_UNUSABLE", message, { cause: error });
}
