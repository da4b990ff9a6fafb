/** --cidfile: a file that gets the container's id. */

import { rmSync, writeFileSync } from "node:fs";
import { cliError } from "../errors.ts";
import { fileError } from "./file-error.ts";

export interface Cidfile extends Disposable {
  readonly write: (id: string) => void;
}

/**
 * The file must not be there before, and is not there after when no container was made.
 *
 * @throws DvmError `CONFLICT`, `FLAG_FILE`
 */
export function reserveCidfile(path: string | undefined): Cidfile {
  if (path === undefined) return { write: () => {}, [Symbol.dispose]: () => {} };
  let written = false;
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(path, error);
    throw cliError(
      "CONFLICT",
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  return {
    write: (id) => {
      writeFileSync(path, id);
      written = true;
    },
    [Symbol.dispose]() {
      if (!written) rmSync(path, { force: true });
    },
  };
}
