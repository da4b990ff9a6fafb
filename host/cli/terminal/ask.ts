/** Questions to the user at the terminal. */

import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { CliContext } from "../command.ts";
import { cliError } from "../errors.ts";

/** @throws DvmError `NOT_A_TERMINAL` */
export function askUser(context: CliContext): Promise<string> {
  return ask(context, "Username: ", true);
}

/** Asks without showing what is typed. @throws DvmError `NOT_A_TERMINAL` */
export function askPassword(context: CliContext): Promise<string> {
  return ask(context, "Password: ", false);
}

async function ask(
  { stdin, stderr }: CliContext,
  question: string,
  echo: boolean,
): Promise<string> {
  if (stdin.isTTY !== true) {
    throw cliError("NOT_A_TERMINAL", "cannot perform an interactive login from a non TTY device", {
      hint: "give --username and --password-stdin",
    });
  }
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  stderr.write(question);
  const lines = createInterface({ input: stdin, output: echo ? stderr : silent, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    if (!echo) stderr.write("\n");
  }
}
