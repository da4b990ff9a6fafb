/**
 * The words of dvmd's command line, by commander. The client has a parser of its own (`host/cli/parse`): it is
 * started for every command, and commander takes 10 ms to load and knows no `--init=false`.
 */

import { Command, CommanderError } from "commander";
import type { StorageDriver } from "../../engine/container-config.ts";
import { MAX_POOL } from "../../engine/pool/machine-pool.ts";
import { parseStorageDriver } from "../../engine/storage/storage-driver.ts";
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
  /** machines that are kept ready; absent: the usual number */
  readonly poolSize: number | undefined;
  /** whether what Docker calls experimental is served */
  readonly experimental: boolean;
  /** of containers that ask for none; absent: the usual one */
  readonly storageDriver: StorageDriver | undefined;
}

/**
 * @returns what to do, or a text that is only to be printed
 * @throws DvmError `BAD_REQUEST` for words that dvmd does not know
 */
export function parseDaemonOptions(
  words: readonly string[],
  version: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
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
    experimental: values.experimental === true,
    poolSize: countOf(textOf(values.pool) ?? environment.DVM_POOL),
    storageDriver: driverOf(textOf(values.storageDriver) ?? environment.DVM_STORAGE_DRIVER),
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
    .option("--experimental", "serve Docker's checkpoints")
    .option(
      "--pool <number>",
      "machines to keep ready for the next containers (default: 1 if emulated, else 0)",
    )
    .option(
      "--storage-driver <name>",
      "what containers' roots are stored in: overlay (the default), block, or reflink",
    )
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

function driverOf(text: string | undefined): StorageDriver | undefined {
  return text === undefined || text === "" ? undefined : parseStorageDriver(text);
}

function countOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^\d{1,2}$/.test(text) || Number(text) > MAX_POOL) {
    throw apiError("BAD_REQUEST", `not a number of machines from 0 to ${MAX_POOL}: ${text}`);
  }
  return Number(text);
}

/** Nothing and 0 are for ever. */
function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) {
    throw apiError("BAD_REQUEST", `not a number of seconds: ${text}`);
  }
  return Number(text) || undefined;
}
