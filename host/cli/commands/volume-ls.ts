/** dvm volume ls: the volumes, as Docker's table. */

import { Filters } from "../../api/docker/filters.ts";
import { acceptsVolume, VOLUME_FILTERS } from "../../api/docker/volume-json.ts";
import { openVolumes, type VolumeView } from "../../api/volume-api.ts";
import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, helpFlag, rowsFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filtersJson } from "../parse/image-flags.ts";
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
    const filters = Filters.parse(filtersJson(values.filter), VOLUME_FILTERS);
    const volumes = await openVolumes(context);
    const found = volumes.list().filter((volume) => acceptsVolume(filters, volume));
    const text = values.quiet
      ? found.map(({ name }) => `${name}\n`).join("")
      : renderRows(found.map(row), { format: values.format, table: TABLE, titles: TITLES });
    context.stdout.write(text);
    return 0;
  },
};

/** Links and sizes are not counted here, as in Docker, whose `system df` does. */
function row({ name, path, labels }: VolumeView) {
  return {
    Availability: "N/A",
    Driver: "local",
    Group: "N/A",
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Links: "N/A",
    Mountpoint: path,
    Name: name,
    Scope: "local",
    Size: "N/A",
    Status: "N/A",
  };
}
