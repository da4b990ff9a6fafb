/** dvm checkpoint rm: remove a checkpoint of a container. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const checkpointRm: Command = {
  usage: "rm CONTAINER CHECKPOINT",
  summary: "Remove a checkpoint",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "checkpoint rm", { least: 2, most: 2 });
    const [container = "", name = ""] = args;
    using daemon = await context.openDaemon();
    await daemon.snapshots.removeCheckpoint(container, name);
    return 0;
  },
};
