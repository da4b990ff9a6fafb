/** dvm checkpoint ls: the checkpoints of a container. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { renderTable } from "../render/table.ts";

export const checkpointLs: Command = {
  usage: "ls CONTAINER",
  summary: "List checkpoints for a container",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "checkpoint ls", { least: 1 });
    using daemon = await context.openDaemon();
    const names = await daemon.snapshots.checkpoints(args[0] ?? "");
    const rows = names.map((name) => [name]);
    context.stdout.write(renderTable(["CHECKPOINT NAME"], rows));
    return 0;
  },
};
