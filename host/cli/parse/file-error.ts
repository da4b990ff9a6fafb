/** A file named by a flag that cannot be read or written, in the words that Go's os package has for it. */

import { cliError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
};

/** Wraps what `node:fs` threw. */
export function fileError(path: string, cause: unknown, prefix = ""): Error {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const reason = REASONS[code] ?? (cause as Error).message;
  return cliError("FLAG_FILE", `${prefix}open ${path}: ${reason}`, { cause });
}
