/** One call of the command line, from its words to its exit code. */

import type { DaemonClient } from "../api/client/daemon-client.ts";
import type { ConnectOptions } from "../api/client/start-daemon.ts";
import type { CliContext } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { cliError } from "./errors.ts";
import { asText, booleanFlag, HelpRequest, parseFlags, valueFlag } from "./parse/flag-set.ts";
import { exitCodeOf, type FailedCommand, renderError } from "./render/error.ts";
import { renderCommandHelp, renderMainHelp, usageLine } from "./render/help.ts";

const mainFlags = {
  "data-root": valueFlag({
    placeholder: "string",
    help: "Folder of images and containers, in place of the usual one",
    parse: asText,
  }),
  help: booleanFlag({ help: "Print usage" }),
  host: valueFlag({
    short: "H",
    placeholder: "string",
    help: "Daemon socket to connect to (unix://PATH), in place of DVM_HOST",
    parse: asText,
  }),
  version: booleanFlag({ short: "v", help: "Print version information and quit" }),
} as const;

const mainUsage = "Usage:  dvm [OPTIONS] COMMAND [ARG...]";

type World = Omit<CliContext, "dataRoot" | "host" | "openDaemon"> & {
  /** Prints a help text, made for a terminal of so many columns if it is one; absent: it goes to `stdout`. */
  readonly printHelp?: (render: (columns: number | undefined) => string) => void;
};

/** The way to the engine; tests give another. */
export interface Doors {
  readonly openDaemon: (options: ConnectOptions) => Promise<DaemonClient>;
}

/** @returns the exit code of the process; what is to be said has been written */
export async function runCli(
  words: readonly string[],
  world: World,
  doors: Doors,
): Promise<number> {
  let failed: FailedCommand = { usage: mainUsage };
  let help = (columns: number | undefined) => renderMainHelp(commandTable, mainFlags, columns);
  try {
    const { values, args } = parseFlags(mainFlags, words, { interspersed: false });
    const [name, ...rest] = args;
    if (values.version) return await printVersion(world);
    if (name === undefined || name === "help")
      return await runCli([...rest.slice(0, 1), "--help"], world, doors);
    const { "data-root": dataRoot, host } = values;
    if (name === "__complete") {
      return await printCompletions(rest, contextOf(world, { dataRoot, host }, doors));
    }
    if (name === "__follow") {
      const { follow } = await import("./follow.ts");
      failed = { name: "run", runsContainer: true };
      return await follow(rest, contextOf(world, { dataRoot, host }, doors));
    }
    const { command, row } = await findCommand(name);
    failed = {
      name,
      usage: usageLine(command),
      runsContainer: row.runsContainer === true,
      verbose: rest.includes("--verbose"),
    };
    help = (columns) => renderCommandHelp(command, columns);
    return await command.run(rest, contextOf(world, { dataRoot, host }, doors));
  } catch (error) {
    if (error instanceof HelpRequest) {
      if (world.printHelp !== undefined) world.printHelp(help);
      else world.stdout.write(help(world.stdout.columns));
      return 0;
    }
    if (isBrokenPipe(error)) return BROKEN_PIPE;
    world.stderr.write(renderError(error, failed));
    return exitCodeOf(error, failed);
  }
}

/** Exit code of a process that SIGPIPE ended. */
const BROKEN_PIPE = 128 + 13;

/** Nobody reads what is written any more: that is no failure to tell of. */
function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

const BUILD_HINT =
  "build it with docker, buildah or podman, bring it here with dvm load or dvm pull; dvm commit makes an image of a container";
/** Docker's commands that dvm leaves to others, with what to do. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["build", BUILD_HINT],
  ["builder", BUILD_HINT],
  ["buildx", BUILD_HINT],
]);

async function findCommand(name: string) {
  const row = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
  if (row === undefined) {
    const hint = ELSEWHERE.get(name);
    throw cliError("UNKNOWN_COMMAND", `unknown command: dvm ${name}`, hint ? { hint } : {});
  }
  return { row, command: await row.load() };
}

function contextOf(
  world: World,
  { dataRoot, host }: Pick<ConnectOptions, "dataRoot" | "host">,
  { openDaemon }: Doors,
): CliContext {
  const { environment } = world;
  return {
    // each only when it is asked for: a stream of Node's takes some milliseconds to make
    get stdin() {
      return world.stdin;
    },
    get stdout() {
      return world.stdout;
    },
    get stderr() {
      return world.stderr;
    },
    environment,
    dataRoot,
    host,
    openDaemon: () => openDaemon({ dataRoot, host, environment }),
  };
}

async function printVersion({ stdout }: World): Promise<number> {
  const { versionInfo } = await import("../doctor/version-info.ts");
  const { version } = await versionInfo();
  stdout.write(`dvm version ${version}\n`);
  return 0;
}

/** A shell that asks gets an answer or nothing. */
async function printCompletions(words: readonly string[], context: CliContext): Promise<number> {
  const { complete } = await import("./complete.ts");
  const found = await complete(words, { context, mainFlags }).catch(() => []);
  context.stdout.write(found.map(({ value, about }) => `${value}\t${about}\n`).join(""));
  return 0;
}
