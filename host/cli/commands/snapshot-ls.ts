/** dvm snapshot ls: the snapshots, newest first. */

import type { Command } from "../command.ts";
import { checkCount } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { humanSize } from "../render/size.ts";
import { renderTable } from "../render/table.ts";

const flags = {
  help: booleanFlag({ help: "Print usage" }),
  quiet: booleanFlag({ short: "q", help: "Only display names" }),
} as const;

export const snapshotLs: Command = {
  usage: "ls [OPTIONS]",
  summary: "List snapshots",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "snapshot ls", { least: 0, most: 0 });
    using daemon = await context.openDaemon();
    const all = await daemon.snapshots.list();
    if (values.quiet) {
      context.stdout.write(all.map(({ Name }) => `${Name}\n`).join(""));
      return 0;
    }
    const rows = all.map((each) => [
      each.Name,
      each.Container,
      each.Image,
      each.Created,
      humanSize(each.Size),
    ]);
    const heads = ["SNAPSHOT", "CONTAINER", "IMAGE", "CREATED", "SIZE"];
    context.stdout.write(renderTable(heads, rows));
    return 0;
  },
};
