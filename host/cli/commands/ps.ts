/** dvm ps: the containers, as Docker's table. */

import type { ContainerRecord } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { humanDuration } from "../render/age.ts";
import { renderTable } from "../render/table.ts";

const flags = {
  all: booleanFlag({ short: "a", help: "Show all containers (default shows just running)" }),
  help: booleanFlag({ help: "Print usage" }),
  "no-trunc": booleanFlag({ help: "Don't truncate output" }),
  quiet: booleanFlag({ short: "q", help: "Only display container IDs" }),
} as const;

/** Longest command in the table, in characters. */
const MAX_COMMAND = 20;
/** What is shown without --all: containers that have a process. */
const SHOWN: ReadonlySet<string> = new Set(["running", "paused", "restarting"]);
const HEADERS = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];

export const ps: Command = {
  usage: "ps [OPTIONS]",
  summary: "List containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm ps' accepts no arguments");
    await using engine = await context.openEngine(() => {});
    const shown = engine.list().filter(({ state }) => values.all || SHOWN.has(state.status));
    const id = (record: ContainerRecord) =>
      values["no-trunc"] ? record.id : record.id.slice(0, 12);
    const text = values.quiet
      ? shown.map((record) => `${id(record)}\n`).join("")
      : renderTable(
          HEADERS,
          shown.map((record) => [
            id(record),
            record.config.image,
            commandText(record, values["no-trunc"]),
            `${humanDuration(Date.now() - Date.parse(record.created))} ago`,
            statusText(record),
            "",
            record.name,
          ]),
        );
    context.stdout.write(text);
    return 0;
  },
};

function commandText({ config, image }: ContainerRecord, whole: boolean): string {
  const entrypoint = config.entrypoint ?? image.run.entrypoint ?? [];
  const own = config.entrypoint === undefined ? (image.run.cmd ?? []) : [];
  const command = config.command.length > 0 ? config.command : own;
  const text = [...entrypoint, ...command].join(" ").replace(/[^\x20-\x7e]/g, "?");
  return whole || text.length <= MAX_COMMAND ? `"${text}"` : `"${text.slice(0, MAX_COMMAND - 1)}…"`;
}

function statusText({ state }: ContainerRecord): string {
  const since = (time: string | undefined) =>
    time === undefined ? "" : humanDuration(Date.now() - Date.parse(time));
  const ago = (words: string, time: string | undefined) =>
    time === undefined ? words : `${words} ${since(time)} ago`;
  switch (state.status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(state.startedAt)}`;
    case "paused":
      return `Up ${since(state.startedAt)} (Paused)`;
    case "restarting":
      return ago(`Restarting (${state.exitCode ?? 0})`, state.finishedAt);
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "exited":
      return ago(`Exited (${state.exitCode ?? 0})`, state.finishedAt);
  }
}
