/** One call of the command line, from its words to its exit code. */

import type { EngineApi, OpenEngineOptions } from "../api/engine-api.ts";
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
  version: booleanFlag({ short: "v", help: "Print version information and quit" }),
} as const;

const mainUsage = "Usage:  dvm [OPTIONS] COMMAND [ARG...]";

type World = Omit<CliContext, "dataRoot" | "openEngine">;
type OpenEngine = (options: OpenEngineOptions) => Promise<EngineApi>;

/** @returns the exit code of the process; what is to be said has been written */
export async function runCli(
  words: readonly string[],
  world: World,
  openEngine: OpenEngine,
): Promise<number> {
  let failed: FailedCommand = { usage: mainUsage };
  let help = () => renderMainHelp(commandTable, mainFlags, world.stdout.columns);
  try {
    const { values, args } = parseFlags(mainFlags, words, { interspersed: false });
    const [name, ...rest] = args;
    if (values.version) return await printVersion(world);
    if (name === undefined || name === "help")
      return await runCli([...rest.slice(0, 1), "--help"], world, openEngine);
    const { command, row } = await findCommand(name);
    failed = {
      name,
      usage: usageLine(command),
      runsContainer: row.runsContainer === true,
      verbose: rest.includes("--verbose"),
    };
    help = () => renderCommandHelp(command, world.stdout.columns);
    return await command.run(rest, contextOf(world, values["data-root"], openEngine));
  } catch (error) {
    if (error instanceof HelpRequest) {
      world.stdout.write(help());
      return 0;
    }
    world.stderr.write(renderError(error, failed));
    return exitCodeOf(error, failed);
  }
}

async function findCommand(name: string) {
  const row = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
  if (row === undefined) throw cliError("UNKNOWN_COMMAND", `unknown command: dvm ${name}`);
  return { row, command: await row.load() };
}

function contextOf(world: World, dataRoot: string | undefined, openEngine: OpenEngine): CliContext {
  return { ...world, dataRoot, openEngine: (onEvent) => openEngine({ dataRoot, onEvent }) };
}

async function printVersion({ stdout }: World): Promise<number> {
  const { versionInfo } = await import("../doctor/version-info.ts");
  const { version } = await versionInfo();
  stdout.write(`dvm version ${version}\n`);
  return 0;
}
