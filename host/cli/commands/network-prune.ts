/** dvm network prune: removes the networks that nobody is in. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { filterFlagOf } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...filterFlagOf('Provide filter values (e.g. "until=<timestamp>")'),
  force: booleanFlag({ short: "f", help: "Do not prompt for confirmation" }),
  help: booleanFlag({ help: "Print usage" }),
} as const;

export const networkPrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove all unused networks",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm network prune' accepts no arguments");
    const warning =
      "WARNING! This will remove all custom networks not used by at least one container.";
    if (!values.force && !(await confirm(context, warning))) return 0;
    using daemon = await context.openDaemon();
    const removed = await daemon.networks.prune(filterValues(values.filter));
    if (removed.length > 0) {
      context.stdout.write(`Deleted Networks:\n${removed.map((name) => `${name}\n`).join("")}`);
    }
    return 0;
  },
};
