/** dvm template ls: the templates, newest first. */

import { openTemplates } from "../../api/template-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderTable } from "../render/table.ts";

const flags = {
  quiet: booleanFlag({ short: "q", help: "Only display template IDs" }),
  help: booleanFlag({ help: "Print usage" }),
} as const;

export const templateLs: Command = {
  usage: "ls [OPTIONS]",
  summary: "List templates",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm template ls' accepts no arguments");
    const all = await (await openTemplates(context)).list();
    if (values.quiet) {
      context.stdout.write(all.map(({ key }) => `${key}\n`).join(""));
      return 0;
    }
    const rows = all.map(({ key, meta }) => [
      key,
      new Date(meta.created).toISOString(),
      meta.about,
    ]);
    context.stdout.write(`${renderTable(["TEMPLATE ID", "CREATED", "MACHINE"], rows)}`);
    return 0;
  },
};
