/** dvm system df: what images, containers and volumes take on disk. */

import { familiarName } from "../../api/docker/image-json.ts";
import {
  type Infer,
  integer,
  list,
  object,
  readBySchema,
  string,
} from "../../api/docker/schema.ts";
import { type ImageUsage, type ImageView, openImages } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { renderRows } from "../render/rows.ts";
import { humanSize } from "../render/size.ts";
import { renderTable } from "../render/table.ts";

const flags = {
  ...helpFlag,
  format: valueFlag({
    placeholder: "string",
    help: "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'",
    parse: asText,
  }),
  verbose: booleanFlag({ short: "v", help: "Show detailed information on space usage" }),
} as const;

const TABLE = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const TITLES = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

export const systemDf: Command = {
  usage: "df [OPTIONS]",
  summary: "Show dvm disk usage",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm system df' accepts no arguments");
    const images = await openImages(context);
    const usage = await images.diskUsage();
    if (values.verbose) {
      context.stdout.write(details(usage, await images.list()));
      return 0;
    }
    using daemon = await context.openDaemon();
    const answer = readBySchema(usageAnswer, await daemon.diskUsage());
    const rows = [imagesRow(usage), containersRow(answer.Containers), volumesRow(answer.Volumes)];
    context.stdout.write(renderRows(rows, { format: values.format, table: TABLE, titles: TITLES }));
    return 0;
  },
};

const usageAnswer = object({
  Containers: list(object({ State: string, SizeRw: integer })),
  Volumes: list(object({ UsageData: object({ Size: integer, RefCount: integer }) })),
});

interface Used {
  readonly isActive: boolean;
  /** in `bytes` */
  readonly size: number;
}

function containersRow(all: Infer<typeof usageAnswer>["Containers"]) {
  const isActive = (state: string) => ["running", "paused", "restarting"].includes(state);
  return usedRow(
    "Containers",
    all.map(({ State, SizeRw }) => ({ isActive: isActive(State), size: SizeRw })),
  );
}

function volumesRow(all: Infer<typeof usageAnswer>["Volumes"]) {
  return usedRow(
    "Local Volumes",
    all.map(({ UsageData: { Size, RefCount } }) => ({ isActive: RefCount > 0, size: Size })),
  );
}

function usedRow(type: string, all: readonly Used[]) {
  const sum = (some: readonly Used[]) => some.reduce((total, { size }) => total + size, 0);
  const whole = sum(all);
  const free = sum(all.filter(({ isActive }) => !isActive));
  const share = whole === 0 ? 0 : Math.floor((free / whole) * 100);
  return {
    Type: type,
    TotalCount: all.length,
    Active: all.filter(({ isActive }) => isActive).length,
    Size: humanSize(whole),
    Reclaimable: `${humanSize(free)} (${share}%)`,
  };
}

/** What a removal of the images without containers would free: layers that no other image has. */
function imagesRow({ layers, images }: ImageUsage) {
  const unused = images.filter(({ containers }) => containers === 0);
  const free =
    unused.length === images.length ? layers : unused.reduce((sum, { unique }) => sum + unique, 0);
  const share = layers === 0 ? 0 : Math.floor((free / layers) * 100);
  return {
    Type: "Images",
    TotalCount: images.length,
    Active: images.length - unused.length,
    Size: humanSize(layers),
    Reclaimable: `${humanSize(free)} (${share}%)`,
  };
}

function details({ images }: ImageUsage, views: readonly ImageView[]): string {
  const byId = new Map(images.map((each) => [each.id, each]));
  const rows = views.flatMap(({ id, names, size }) => {
    const { shared = 0, unique = 0, containers = 0 } = byId.get(id) ?? {};
    return (names.length === 0 ? ["<none>:<none>"] : names.map(familiarName)).map((name) => [
      name.slice(0, name.lastIndexOf(":")),
      name.slice(name.lastIndexOf(":") + 1),
      id.replace("sha256:", "").slice(0, 12),
      humanSize(size),
      humanSize(shared),
      humanSize(unique),
      String(containers),
    ]);
  });
  const headers = [
    "REPOSITORY",
    "TAG",
    "IMAGE ID",
    "SIZE",
    "SHARED SIZE",
    "UNIQUE SIZE",
    "CONTAINERS",
  ];
  return `Images space usage:\n\n${renderTable(headers, rows)}`;
}
