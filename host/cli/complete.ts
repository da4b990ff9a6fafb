/** What the last word of a command line may become: asked by the shells' completion scripts. */

import type { CliContext, Command } from "./command.ts";
import { commandTable } from "./command-table.ts";
import type { FlagTable } from "./parse/flag-set.ts";

/** A candidate and what it is. */
export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** @param words of the command line behind `dvm`, the last one being typed, perhaps empty */
export async function complete(
  words: readonly string[],
  options: { readonly context: CliContext; readonly mainFlags: FlagTable },
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? "";
  const found = await candidates(words.slice(0, -1), typed, options);
  return found.filter(({ value }) => value.startsWith(typed));
}

async function candidates(
  before: readonly string[],
  typed: string,
  { context, mainFlags }: { readonly context: CliContext; readonly mainFlags: FlagTable },
): Promise<readonly Candidate[]> {
  const main = splitArguments(before, mainFlags);
  if (main.isValue) return [];
  const [name, ...rest] = main.args;
  if (name === undefined) {
    if (typed.startsWith("-")) return flagCandidates(mainFlags);
    return Object.entries(commandTable).map(([value, { summary: about }]) => ({ value, about }));
  }
  const row = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
  if (row === undefined) return [];
  return ofCommand(await row.load(), rest, typed, context);
}

async function ofCommand(
  command: Command,
  words: readonly string[],
  typed: string,
  context: CliContext,
): Promise<readonly Candidate[]> {
  const { members } = command;
  if (members !== undefined) {
    const [first, ...rest] = words;
    const load = first !== undefined && Object.hasOwn(members, first) ? members[first] : undefined;
    if (load !== undefined) return ofCommand(await load(), rest, typed, context);
    if (first !== undefined) return [];
    return Promise.all(
      Object.entries(members).map(async ([value, open]) => ({
        value,
        about: (await open()).summary,
      })),
    );
  }
  const { args, isValue } = splitArguments(words, command.flags);
  if (isValue) return [];
  if (typed.startsWith("-")) return flagCandidates(command.flags);
  return argumentCandidates(command, args.length, context);
}

/** The usage line says what an argument is. */
async function argumentCandidates(
  { usage }: Command,
  position: number,
  context: CliContext,
): Promise<readonly Candidate[]> {
  const kinds = usage
    .replace(/\[OPTIONS\] /, "")
    .split(" ")
    .slice(1);
  const kind = kinds[position] ?? (usage.endsWith("...]") ? kinds.at(-1) : undefined) ?? "";
  if (kind.startsWith("CONTAINER:")) {
    const names = await containerNames(context);
    return names.map(({ value, about }) => ({ value: `${value}:`, about }));
  }
  if (/^\[?(?:CONTAINER|NAME)/.test(kind)) return containerNames(context);
  if (/^\[?(?:SOURCE_)?IMAGE/.test(kind)) return imageNames(context);
  if (kind === "bash|zsh|fish") return kind.split("|").map((value) => ({ value, about: "" }));
  return [];
}

async function containerNames(context: CliContext): Promise<readonly Candidate[]> {
  using daemon = await context.openDaemon();
  const found = await daemon.list({ all: true });
  return found.flatMap(({ Names: names, Image: image, Status: status }) =>
    names.map((name) => ({ value: name.replace(/^\//, ""), about: `${image}, ${status}` })),
  );
}

async function imageNames(context: CliContext): Promise<readonly Candidate[]> {
  using daemon = await context.openDaemon();
  const found = await daemon.images.list();
  return found.flatMap(({ RepoTags: names }) => names.map((value) => ({ value, about: "image" })));
}

function flagCandidates(flags: FlagTable): Candidate[] {
  return Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .map(([name, { help: about }]) => ({ value: `--${name}`, about }));
}

/** The words that are no flags, and whether the next word is the value of one. */
function splitArguments(words: readonly string[], flags: FlagTable) {
  const args: string[] = [];
  let isValue = false;
  for (const word of words) {
    if (isValue) isValue = false;
    else if (args.length > 0 || !word.startsWith("-") || word === "-") args.push(word);
    else isValue = takesValue(word, flags);
  }
  return { args, isValue };
}

function takesValue(word: string, flags: FlagTable): boolean {
  if (word.includes("=")) return false;
  const name = word.startsWith("--") ? word.slice(2) : undefined;
  const flag =
    name === undefined
      ? Object.values(flags).find(({ short }) => short === word.at(-1))
      : Object.hasOwn(flags, name)
        ? flags[name]
        : undefined;
  return flag !== undefined && flag.placeholder !== "";
}
