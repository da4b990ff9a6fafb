/** What the API refuses of a request, before the engine is asked. */

import { errorTable } from "../../errors.ts";

export const apiError = errorTable({
  BAD_REQUEST: { exitCode: 125 },
  BODY_TOO_LARGE: { exitCode: 125 },
  NO_SUCH_PAGE: { exitCode: 125 },
  /** a registry does not take the credentials */
  UNAUTHORIZED: { exitCode: 125 },
  FORBIDDEN: { exitCode: 125 },
  /** a wish that would change what the container does, and cannot be met */
  UNSUPPORTED: { exitCode: 125 },
  NO_SUCH_EXEC: { exitCode: 1 },
  NO_SUCH_PATH: { exitCode: 1 },
  DAEMON_UNREACHABLE: { exitCode: 125, hint: "start it with dvmd, or look at its log" },
  DAEMON_REFUSED: { exitCode: 125 },
  DAEMON_BUSY: { exitCode: 125 },
});
