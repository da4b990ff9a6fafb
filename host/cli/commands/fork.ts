/** dvm fork: a second container that goes on where a running one is, memory and files. */

import type { Command } from "../command.ts";
import { checkCount } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { runFlags } from "../run-flags.ts";

const flags = {
  help: booleanFlag({ help: "Print usage" }),
  name: runFlags.name,
} as const;

export const fork: Command = {
  usage: "fork [OPTIONS] CONTAINER",
  summary: "Create a second container that goes on where a running one is",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "fork", { least: 1 });
    const [container = ""] = args;
    using daemon = await context.openDaemon();
    context.stdout.write(`${await daemon.snapshots.fork(container, values.name)}\n`);
    return 0;
  },
};
