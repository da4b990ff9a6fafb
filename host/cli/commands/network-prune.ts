/** dvm network prune: removes the networks that nobody is in. */

import { openNetworks } from "../../api/network-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";

const flags = {
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
    if (!values.force) {
      throw cliError("CONFLICT", "this removes all networks that no container is in", {
        hint: "say dvm network prune --force if that is meant",
      });
    }
    const removed = await (await openNetworks(context)).prune();
    if (removed.length > 0) {
      context.stdout.write(`Deleted Networks:\n${removed.map(({ name }) => `${name}\n`).join("")}`);
    }
    return 0;
  },
};
