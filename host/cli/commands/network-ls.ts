/** dvm network ls: the networks, as Docker's table. */

import { type NetworkView, openNetworks } from "../../api/network-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { renderRows } from "../render/rows.ts";

const flags = {
  format: valueFlag({
    placeholder: "string",
    help: "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'",
    parse: asText,
  }),
  help: booleanFlag({ help: "Print usage" }),
  "no-trunc": booleanFlag({ help: "Do not truncate the output" }),
  quiet: booleanFlag({ short: "q", help: "Only display network IDs" }),
} as const;

const TABLE = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
const TITLES = { ID: "NETWORK ID", Name: "NAME", Driver: "DRIVER", Scope: "SCOPE" } as const;

export const networkLs: Command = {
  usage: "ls [OPTIONS]",
  summary: "List networks",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm network ls' accepts no arguments");
    const views = (await openNetworks(context)).views();
    const id = (view: NetworkView) => (values["no-trunc"] ? view.id : view.id.slice(0, 12));
    const text = values.quiet
      ? views.map((view) => `${id(view)}\n`).join("")
      : renderRows(
          views.map((view) => ({
            ID: id(view),
            Name: view.name,
            Driver: view.driver,
            Scope: "local",
          })),
          { format: values.format, table: TABLE, titles: TITLES },
        );
    context.stdout.write(text);
    return 0;
  },
};
