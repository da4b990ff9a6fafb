/** What can go wrong with what a container's root is stored in. */

import { errorTable } from "../../errors.ts";

export const storageError = errorTable({
  STORAGE_UNSUPPORTED: { exitCode: 125 },
  STORAGE_INVALID: { exitCode: 125 },
});
