/** A command that is a family of commands, such as `dvm image`. */

import type { CliContext, Command } from "./command.ts";
import { cliError } from "./errors.ts";
import { booleanFlag, HelpRequest, parseFlags } from "./parse/flag-set.ts";
import { exitCodeOf, renderError } from "./render/error.ts";
import { renderCommandHelp, renderGroupHelp, usageLine } from "./render/help.ts";

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly members: Readonly<Record<string, () => Promise<Command>>>;
  /** other names of members, which the help does not show */
  readonly aliases?: Readonly<Record<string, string>>;
  /** members whose errors end with Docker's exit codes 125 and up */
  readonly engineFailures?: readonly string[];
}

const flags = { help: booleanFlag({ help: "Print usage" }) } as const;

/** Makes the command that finds and runs a member. */
export function commandGroup(group: CommandGroup): Command {
  return {
    usage: `${group.name} COMMAND`,
    summary: group.summary,
    flags,
    members: group.members,
    run: (words, context) => runMember(group, words, context),
  };
}

async function runMember(
  group: CommandGroup,
  words: readonly string[],
  context: CliContext,
): Promise<number> {
  const { name, summary, members, aliases = {}, engineFailures = [] } = group;
  const [word, ...rest] = readFlags(words);
  const first = word !== undefined && Object.hasOwn(aliases, word) ? aliases[word] : word;
  const load = first !== undefined && Object.hasOwn(members, first) ? members[first] : undefined;
  if (first !== undefined && load === undefined)
    throw cliError("UNKNOWN_COMMAND", `unknown command: dvm ${name} ${first}`);
  if (load === undefined) {
    const all = await Promise.all(
      Object.entries(members).map(async ([key, open]) => [key, await open()] as const),
    );
    context.stdout.write(renderGroupHelp({ name, summary }, all, context.stdout.columns));
    return 0;
  }
  // Shown by the name that it was called by.
  const member = await load();
  const usage = `${name} ${first}${member.usage.replace(/^\S+/, "")}`;
  const command = { ...member, usage };
  try {
    return await member.run(rest, context);
  } catch (error) {
    if (error instanceof HelpRequest) {
      context.stdout.write(renderCommandHelp(command, context.stdout.columns));
      return 0;
    }
    const runsContainer = engineFailures.includes(first ?? "");
    const failed = { name: `${name} ${first}`, usage: usageLine(command), runsContainer };
    context.stderr.write(renderError(error, failed));
    return exitCodeOf(error, failed);
  }
}

function readFlags(words: readonly string[]): readonly string[] {
  try {
    return parseFlags(flags, words, { interspersed: false }).args;
  } catch (error) {
    if (error instanceof HelpRequest) return [];
    throw error;
  }
}
