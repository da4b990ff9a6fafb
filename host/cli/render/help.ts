/** Help texts in the layout of Docker's. */

import type { Command } from "../command.ts";
import type { FlagTable } from "../parse/flag-set.ts";

/** Narrower than this the text column is not wrapped any more, in `columns`. */
const LEAST_TEXT = 24;

/** Help of one command, for a terminal of `width` columns. */
export function renderCommandHelp(command: Command, width = 80): string {
  const options = renderFlags(command.flags, width);
  const indent = " ".repeat("Usage:  ".length);
  return [
    usageLine(command),
    ...(command.alsoUsage ?? []).map((usage) => `${indent}dvm ${usage}`),
    "",
    command.summary,
    ...(options === "" ? [] : ["", "Options:", options]),
    "",
  ].join("\n");
}

export function usageLine(command: Pick<Command, "usage">): string {
  return `Usage:  dvm ${command.usage}`;
}

/** A command as the main help lists it. */
export interface HelpRow {
  readonly summary: string;
  readonly common?: boolean;
  readonly group?: boolean;
}

/** Help of dvm itself. */
export function renderMainHelp(
  commands: Readonly<Record<string, HelpRow>>,
  flags: FlagTable,
  width = 80,
): string {
  const entries = Object.entries(commands);
  const rest = entries.filter(([, row]) => row.common !== true && row.group !== true);
  const longest = Math.max(...entries.map(([name]) => name.length));
  const list = (title: string, rows: readonly (readonly [string, HelpRow])[]) => [
    `${title}:`,
    ...rows.map(([name, { summary }]) => `  ${name.padEnd(longest)}  ${summary}`),
    "",
  ];
  return [
    "Usage:  dvm [OPTIONS] COMMAND",
    "",
    "Docker's model, one microVM per container",
    "",
    ...list(
      "Common Commands",
      entries.filter(([, row]) => row.common === true),
    ),
    ...list(
      "Management Commands",
      entries.filter(([, row]) => row.group === true).toSorted(byName),
    ),
    ...list("Commands", rest.toSorted(byName)),
    "Global Options:",
    renderFlags(flags, width),
    "",
    "Run 'dvm COMMAND --help' for more information on a command.",
    "",
  ].join("\n");
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Help of a family of commands. */
export function renderGroupHelp(
  group: { readonly name: string; readonly summary: string },
  members: readonly (readonly [string, Pick<Command, "summary">])[],
  width = 80,
): string {
  const longest = Math.max(...members.map(([name]) => name.length));
  const room = Math.max(width - longest - 5, LEAST_TEXT);
  return [
    `Usage:  dvm ${group.name} COMMAND`,
    "",
    group.summary,
    "",
    "Commands:",
    ...members.map(
      ([name, { summary }]) =>
        `  ${name.padEnd(longest)}   ${wrap(summary, room).join(`\n${" ".repeat(longest + 5)}`)}`,
    ),
    "",
    `Run 'dvm ${group.name} COMMAND --help' for more information on a command.`,
    "",
  ].join("\n");
}

function renderFlags(flags: FlagTable, width: number): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => {
      const short = flag.short === undefined ? "    " : `-${flag.short}, `;
      const value = flag.placeholder === "" ? "" : ` ${flag.placeholder}`;
      const fallback = flag.defaultText === undefined ? "" : ` (default ${flag.defaultText})`;
      return { left: `  ${short}--${name}${value}`, text: `${flag.help}${fallback}` };
    });
  const column = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  const room = Math.max(width - column, LEAST_TEXT);
  return rows
    .map(({ left, text }) => {
      const lines = wrap(text, room);
      return lines
        .map((line, index) => (index === 0 ? left.padEnd(column) : " ".repeat(column)) + line)
        .join("\n");
    })
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
