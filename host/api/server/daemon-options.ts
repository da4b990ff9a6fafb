/**
 * The words of dvmd's command line, by commander. The client has a parser of its own (`host/cli/parse`): it is
 * started for every command, and commander takes 10 ms to load and knows no `--init=false`.
 */

import { Command, CommanderError } from "commander";
import { apiError } from "../docker/errors.ts";

export interface DaemonOptions {
  readonly host: string | undefined;
  readonly dataRoot: string | undefined;
  /** whether other users may connect, each to containers of its own */
  readonly shared: boolean;
  readonly debug: boolean;
  /** absent: standard error */
  readonly logFile: string | undefined;
  /** after how long without clients and running containers it ends, in `seconds`; absent: never */
  readonly idleTime: number | undefined;
}

/**
 * @returns what to do, or a text that is only to be printed
 * @throws DvmError `BAD_REQUEST` for words that dvmd does not know
 */
export function parseDaemonOptions(
  words: readonly string[],
  version: string,
): DaemonOptions | string {
  const printed: string[] = [];
  const program = daemonCommand(version).configureOutput({
    writeOut: (text) => printed.push(text),
    writeErr: () => {},
  });
  try {
    program.parse(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return printed.join("");
    throw apiError("BAD_REQUEST", error.message.replace(/^error: /, ""));
  }
  const values = program.opts<Record<string, string | boolean | undefined>>();
  return {
    host: textOf(values.host),
    dataRoot: textOf(values.dataRoot),
    shared: values.shared === true,
    debug: values.debug === true,
    logFile: textOf(values.logFile),
    idleTime: secondsOf(textOf(values.idleTimeout)),
  };
}

function daemonCommand(version: string): Command {
  return new Command("dvmd")
    .description("The daemon of dvm: serves Docker's Engine API on a socket.")
    .version(`dvmd version ${version}`, "-v, --version", "print version information and quit")
    .option("-H, --host <socket>", "socket to serve, as unix://PATH")
    .option("--data-root <folder>", "folder of images and containers, in place of the usual one")
    .option("-D, --debug", "log every request")
    .option("--log-file <file>", "where to log to, in place of standard error")
    .option("--idle-timeout <seconds>", "end when nobody has needed it for so long")
    .option(
      "--shared",
      "let every user of this machine connect; each sees its own containers, and all images",
    )
    .allowExcessArguments(false)
    .exitOverride();
}

function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Nothing and 0 are for ever. */
function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) {
    throw apiError("BAD_REQUEST", `not a number of seconds: ${text}`);
  }
  return Number(text) || undefined;
}
