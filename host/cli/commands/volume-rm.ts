/** dvm volume rm: removes volumes that no container has. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";

const flags = {
  ...helpFlag,
  force: booleanFlag({ short: "f", help: "Do not error if the volume does not exist" }),
} as const;

export const volumeRm: Command = {
  usage: "rm [OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "volume rm", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    const { force } = values;
    return await forEach({
      context,
      name: "volume rm",
      references: args,
      act: async (name) => {
        await daemon.volumes.remove(name, { force });
        return name;
      },
    });
  },
};
