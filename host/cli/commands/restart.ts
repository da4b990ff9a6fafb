/** dvm restart: end containers and start them again. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag, signalFlag, timeoutFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { stopQuery } from "./stop.ts";

const flags = { ...helpFlag, ...signalFlag, ...timeoutFlag } as const;

export const restart: Command = {
  usage: "restart [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Restart one or more containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "restart", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "restart",
      references: args,
      act: async (reference) => {
        await daemon.restart(reference, stopQuery(values));
        return reference;
      },
    });
  },
};
