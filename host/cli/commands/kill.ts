/** dvm kill: send containers a signal, which is SIGKILL unless another is named. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag, signalFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

const flags = { ...helpFlag, ...signalFlag } as const;

export const kill: Command = {
  usage: "kill [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill one or more running containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "kill", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "kill",
      references: args,
      act: async (reference) => {
        await daemon.kill(reference, values.signal ?? "KILL");
        return reference;
      },
    });
  },
};
