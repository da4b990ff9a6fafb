/** A stream of bytes as a command's output: to a file that gets its name when it is whole, or to standard output. */

import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { CliContext } from "./command.ts";
import { cliError } from "./errors.ts";
import { fileError } from "./parse/file-error.ts";

export interface WriteOutputOptions {
  readonly context: CliContext;
  /** absent: standard output */
  readonly path: string | undefined;
  readonly open: () => Promise<Readable>;
  readonly signal: AbortSignal;
}

/** @throws DvmError `CONFLICT` for a terminal, `FLAG_FILE` */
export async function writeOutput({ context, path, open, signal }: WriteOutputOptions) {
  if (path === undefined) {
    if (context.stdout.isTTY === true) {
      throw cliError(
        "CONFLICT",
        "cowardly refusing to save to a terminal. Use the -o flag or redirect",
      );
    }
    await pipeline(await open(), context.stdout, { end: false, signal });
    return;
  }
  const source = await open();
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipeline(source, createWriteStream(partial, { flags: "wx", mode: 0o600 }), { signal });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw isFileError(error) ? fileError(path, error) : error;
  }
}

function isFileError(error: unknown): boolean {
  return (
    error instanceof Error &&
    "syscall" in error &&
    ["open", "write", "rename"].includes(String(error.syscall))
  );
}
