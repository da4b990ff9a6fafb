/** dvm volume ls: the volumes, as Docker's table. */

import type { VolumeSummary } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, helpFlag, rowsFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { renderRows } from "../render/rows.ts";

const flags = {
  ...helpFlag,
  ...rowsFormatFlag,
  ...filterFlagOf('Provide filter values (e.g. "dangling=true")', "f"),
  quiet: booleanFlag({ short: "q", help: "Only display volume names" }),
} as const;

const TABLE = "table {{.Driver}}\t{{.Name}}";
const TITLES = {
  Driver: "DRIVER",
  Name: "VOLUME NAME",
  Mountpoint: "MOUNTPOINT",
  Scope: "SCOPE",
  Labels: "LABELS",
  Links: "LINKS",
  Size: "SIZE",
} as const;

export const volumeLs: Command = {
  usage: "ls [OPTIONS]",
  summary: "List volumes",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "volume ls", {});
    using daemon = await context.openDaemon();
    const found = await daemon.volumes.list(filterValues(values.filter));
    const text = values.quiet
      ? found.map(({ Name: name }) => `${name}\n`).join("")
      : renderRows(found.map(row), { format: values.format, table: TABLE, titles: TITLES });
    context.stdout.write(text);
    return 0;
  },
};

/** Links and sizes are not counted here, as in Docker, whose `system df` does. */
function row({ Name, Driver, Mountpoint, Labels }: VolumeSummary) {
  return {
    Availability: "N/A",
    Driver,
    Group: "N/A",
    Labels: Object.entries(Labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Links: "N/A",
    Mountpoint,
    Name,
    Scope: "local",
    Size: "N/A",
    Status: "N/A",
  };
}
