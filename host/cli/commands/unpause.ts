/** dvm unpause: let all processes of paused containers go on. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const unpause: Command = {
  usage: "unpause CONTAINER [CONTAINER...]",
  summary: "Unpause all processes within one or more containers",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "unpause", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "unpause",
      references: args,
      act: async (reference) => {
        await daemon.unpause(reference);
        return reference;
      },
    });
  },
};
