/** What can go wrong with volumes and mounts. */

import { errorTable } from "../../errors.ts";

export const volumeError = errorTable({
  VOLUME_INVALID: { exitCode: 125 },
  NO_SUCH_VOLUME: { exitCode: 1, hint: "dvm volume ls lists the volumes" },
  VOLUME_IN_USE: { exitCode: 1 },
  VOLUME_DAMAGED: { exitCode: 125 },
  VOLUME_CORRUPT: { exitCode: 125 },
  MOUNT_INVALID: { exitCode: 125 },
  MOUNT_UNSUPPORTED: { exitCode: 125 },
});
