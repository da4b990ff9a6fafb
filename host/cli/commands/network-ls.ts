/** dvm network ls: the networks, as Docker's table. */

import type { NetworkSummary } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { filterFlagOf } from "../parse/common-flags.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { renderRows } from "../render/rows.ts";

const flags = {
  ...filterFlagOf('Provide filter values (e.g. "driver=bridge")', "f"),
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
    using daemon = await context.openDaemon();
    const found = await daemon.networks.list(filterValues(values.filter));
    const id = ({ Id }: NetworkSummary) => (values["no-trunc"] ? Id : Id.slice(0, 12));
    const text = values.quiet
      ? found.map((network) => `${id(network)}\n`).join("")
      : renderRows(
          found.map((network) => ({
            ID: id(network),
            Name: network.Name,
            Driver: network.Driver,
            Scope: "local",
          })),
          { format: values.format, table: TABLE, titles: TITLES },
        );
    context.stdout.write(text);
    return 0;
  },
};
