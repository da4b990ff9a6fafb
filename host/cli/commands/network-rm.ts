/** dvm network rm: removes networks that nobody is in. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";

const flags = {
  force: booleanFlag({ short: "f", help: "Do not error if the network does not exist" }),
  help: booleanFlag({ help: "Print usage" }),
} as const;

export const networkRm: Command = {
  usage: "rm NETWORK [NETWORK...]",
  summary: "Remove one or more networks",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length === 0) {
      throw cliError("ARGUMENTS", "'dvm network rm' requires at least 1 argument");
    }
    using daemon = await context.openDaemon();
    let exitCode = 0;
    for (const reference of args) {
      try {
        await daemon.networks.remove(reference);
        context.stdout.write(`${reference}\n`);
      } catch (error) {
        const isGone =
          error instanceof Error && "code" in error && error.code === "NO_SUCH_NETWORK";
        context.stderr.write(renderError(error, { name: "network rm" }));
        if (!(values.force && isGone)) exitCode = 1;
      }
    }
    return exitCode;
  },
};
