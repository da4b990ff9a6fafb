/** dvm ps: the containers, as Docker's table. */

import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, helpFlag, rowsFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { parseInteger } from "../parse/integer.ts";
import { CONTAINER_TABLE, CONTAINER_TITLES, containerRow } from "../render/container-row.ts";
import { renderRows } from "../render/rows.ts";

const flags = {
  ...helpFlag,
  ...rowsFormatFlag,
  ...filterFlagOf("Filter output based on conditions provided", "f"),
  all: booleanFlag({ short: "a", help: "Show all containers (default shows just running)" }),
  last: valueFlag({
    short: "n",
    placeholder: "int",
    help: "Show n last created containers (includes all states)",
    parse: parseInteger,
    defaultText: "-1",
  }),
  latest: booleanFlag({
    short: "l",
    help: "Show the latest created container (includes all states)",
  }),
  "no-trunc": booleanFlag({ help: "Don't truncate output" }),
  quiet: booleanFlag({ short: "q", help: "Only display container IDs" }),
  size: booleanFlag({ short: "s", help: "Display total file sizes" }),
} as const;

export const ps: Command = {
  usage: "ps [OPTIONS]",
  summary: "List containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "ps", {});
    const { format, size } = values;
    const limit = values.latest ? 1 : Math.max(values.last ?? 0, 0);
    using daemon = await context.openDaemon();
    const found = await daemon.list(
      {
        all: values.all,
        // a template that shows sizes asks for them
        size: size || (format ?? "").includes(".Size"),
        ...(limit > 0 ? { limit } : {}),
      },
      filterValues(values.filter),
    );
    const whole = values["no-trunc"];
    const rows = found.map((summary) => containerRow(summary, { whole, now: Date.now() }));
    const table = size ? `${CONTAINER_TABLE}\t{{.Size}}` : CONTAINER_TABLE;
    context.stdout.write(
      values.quiet && format === undefined
        ? rows.map(({ ID }) => `${ID}\n`).join("")
        : renderRows(rows, { format, table, titles: CONTAINER_TITLES }),
    );
    return 0;
  },
};
