/** dvm system df: what images, containers, volumes and snapshots take on disk. */

import type { DiskUsage } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { checkCount, helpFlag, rowsFormatFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { diskUsageDetails } from "../render/disk-usage.ts";
import { renderRows } from "../render/rows.ts";
import { humanSize } from "../render/size.ts";

const flags = {
  ...helpFlag,
  ...rowsFormatFlag,
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
    checkCount(args, "system df", {});
    using daemon = await context.openDaemon();
    const usage = await daemon.diskUsage();
    if (values.verbose) {
      context.stdout.write(diskUsageDetails(usage, Date.now()));
      return 0;
    }
    const { Containers, Volumes, Snapshots } = usage;
    const rows = [
      imagesRow(usage),
      containersRow(Containers),
      volumesRow(Volumes),
      // Docker has none
      ...(Snapshots.length > 0 ? [snapshotsRow(Snapshots)] : []),
    ];
    context.stdout.write(renderRows(rows, { format: values.format, table: TABLE, titles: TITLES }));
    return 0;
  },
};

interface Used {
  readonly isActive: boolean;
  /** in `bytes` */
  readonly size: number;
}

/** What a removal of the images without containers would free: layers that no other image has. */
function imagesRow({ LayersSize: whole, Images: images }: DiskUsage) {
  const unused = images.filter(({ Containers: containers }) => containers === 0);
  const own = unused.reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
  const free = unused.length === images.length ? whole : own;
  const counts = { total: images.length, active: images.length - unused.length };
  return row("Images", counts, { whole, free });
}

function containersRow(all: DiskUsage["Containers"]) {
  const isActive = (state: string) => ["running", "paused", "restarting"].includes(state);
  return usedRow(
    "Containers",
    all.map(({ State, SizeRw = 0 }) => ({ isActive: isActive(State), size: SizeRw })),
  );
}

function volumesRow(all: DiskUsage["Volumes"]) {
  return usedRow(
    "Local Volumes",
    all.map(({ UsageData: { Size = 0, RefCount = 0 } = {} }) => ({
      isActive: RefCount > 0,
      size: Size,
    })),
  );
}

/** Nothing needs them. */
function snapshotsRow(all: DiskUsage["Snapshots"]) {
  return usedRow(
    "Snapshots",
    all.map(({ Size: size }) => ({ isActive: false, size })),
  );
}

function usedRow(type: string, all: readonly Used[]) {
  const sum = (some: readonly Used[]) => some.reduce((total, { size }) => total + size, 0);
  const idle = all.filter(({ isActive }) => !isActive);
  const counts = { total: all.length, active: all.length - idle.length };
  return row(type, counts, { whole: sum(all), free: sum(idle) });
}

function row(
  type: string,
  { total, active }: { readonly total: number; readonly active: number },
  { whole, free }: { readonly whole: number; readonly free: number },
) {
  const share = whole === 0 ? 0 : Math.floor((free / whole) * 100);
  return {
    Type: type,
    TotalCount: total,
    Active: active,
    Size: humanSize(whole),
    Reclaimable: `${humanSize(free)} (${share}%)`,
  };
}
