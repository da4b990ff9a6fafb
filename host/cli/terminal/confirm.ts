/** Asks before something is removed. */

import { createInterface } from "node:readline/promises";
import type { CliContext } from "../command.ts";

/** @returns whether the user says yes; the end of input says no */
export async function confirm({ stdin, stdout }: CliContext, warning: string): Promise<boolean> {
  const lines = createInterface({ input: stdin });
  try {
    stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
    const answer = await Promise.race([
      lines.question(""),
      new Promise<string>((resolve) => lines.once("close", () => resolve(""))),
    ]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
