/** A command that does the same to each of its arguments: all are tried, each failure is told. */

import type { CliContext } from "./command.ts";
import { renderError } from "./render/error.ts";

export interface EachOptions {
  readonly context: CliContext;
  /** name of the command */
  readonly name: string;
  readonly references: readonly string[];
  /** Does it. @returns the line to print; nothing to print none */
  readonly act: (reference: string) => Promise<string | undefined>;
  /** whether the failure of one is none of the command's */
  readonly forgives?: (error: unknown) => boolean;
}

/** All at once, told in order. @returns the exit code */
export async function forEach(options: EachOptions): Promise<number> {
  const { context, name, references, act, forgives = () => false } = options;
  const acts = references.map((reference) => act(reference));
  // those that fail while an earlier one is waited for are told in their turn
  for (const each of acts) each.catch(() => {});
  let exitCode = 0;
  for (const each of acts) {
    try {
      const line = await each;
      if (line !== undefined) context.stdout.write(`${line}\n`);
    } catch (error) {
      context.stderr.write(renderError(error, { name }));
      if (!forgives(error)) exitCode = 1;
    }
  }
  return exitCode;
}
