/** dvm stop: ask containers to end, and end those that do not. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { checkCount, helpFlag, signalFlag, timeoutFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

const flags = { ...helpFlag, ...signalFlag, ...timeoutFlag } as const;

export const stop: Command = {
  usage: "stop [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "stop", { least: 1, most: Number.POSITIVE_INFINITY });
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "stop",
      references: args,
      act: async (reference) => {
        await daemon.stop(reference, stopQuery(values));
        return reference;
      },
    });
  },
};

export function stopQuery(values: {
  readonly signal: string | undefined;
  readonly timeout: number | undefined;
  readonly time: number | undefined;
}): { readonly t?: number; readonly signal?: string } {
  const { signal, timeout = values.time } = values;
  return {
    ...(timeout === undefined ? {} : { t: timeout }),
    ...(signal === undefined ? {} : { signal }),
  };
}
