/** Results on disk. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { benchError } from "../errors.ts";
import { type BenchResult, parseResult } from "./result.ts";

/** Longest file that is read, in `bytes`. */
const MAX_RESULT = 64 * 2 ** 20;

/** @throws DvmError `BAD_RESULT` for a file that is no result */
export async function readResult(path: string): Promise<BenchResult> {
  try {
    const text = await readFile(path);
    if (text.length > MAX_RESULT) throw new RangeError(`${text.length} bytes`);
    return parseResult(JSON.parse(text.toString()));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw benchError("BAD_RESULT", `${path} is no result: ${reason}`, { cause });
  }
}

/** All results of a folder, the newest first; what cannot be read is told, and left out. */
export async function readResults(
  folder: string,
  tell: (text: string) => void,
): Promise<readonly BenchResult[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
  const results: BenchResult[] = [];
  for (const name of names) {
    try {
      results.push(await readResult(join(folder, name)));
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
    }
  }
  return results.toSorted((a, b) => b.environment.date.localeCompare(a.environment.date));
}
