/** dvm snapshot restore: a new container that goes on where another was saved. */

import type { Command } from "../command.ts";
import { checkCount } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { runFlags } from "../run-flags.ts";

const flags = {
  help: booleanFlag({ help: "Print usage" }),
  name: runFlags.name,
} as const;

export const snapshotRestore: Command = {
  usage: "restore [OPTIONS] SNAPSHOT",
  summary: "Create a container that goes on from a snapshot",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "snapshot restore", { least: 1 });
    const [snapshot = ""] = args;
    using daemon = await context.openDaemon();
    context.stdout.write(`${await daemon.snapshots.restore(snapshot, values.name)}\n`);
    return 0;
  },
};
