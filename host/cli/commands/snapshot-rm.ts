/** dvm snapshot rm: remove snapshots; containers that have gone on from them stay. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const snapshotRm: Command = {
  usage: "rm SNAPSHOT [SNAPSHOT...]",
  summary: "Remove one or more snapshots",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "snapshot rm", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "snapshot rm",
      references: args,
      act: async (reference) => {
        await daemon.snapshots.remove(reference);
        return reference;
      },
    });
  },
};
