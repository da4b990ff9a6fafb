/** Finds QEMU. */

import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { VmmError } from "../errors.ts";

export const QEMU_BINARY = "qemu-system-x86_64";

/**
 * Absolute path of QEMU on a `PATH`.
 *
 * @throws {VmmError} VMM_QEMU_NOT_FOUND
 */
export async function findQemu(path: string = process.env.PATH ?? ""): Promise<string> {
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const candidate = join(folder, QEMU_BINARY);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here, or not for us: the next folder may have it.
    }
  }
  throw new VmmError("VMM_QEMU_NOT_FOUND", `${QEMU_BINARY} is not on the PATH`);
}
