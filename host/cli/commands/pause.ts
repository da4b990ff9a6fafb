/** dvm pause: hold all processes of containers still. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const pause: Command = {
  usage: "pause CONTAINER [CONTAINER...]",
  summary: "Pause all processes within one or more containers",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "pause", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "pause",
      references: args,
      act: async (reference) => {
        await daemon.pause(reference);
        return reference;
      },
    });
  },
};
