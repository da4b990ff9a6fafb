/** dvm checkpoint create: save a running container, which ends unless it is to run on. */

import type { Command } from "../command.ts";
import { checkCount } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";

const flags = {
  help: booleanFlag({ help: "Print usage" }),
  "leave-running": booleanFlag({ help: "Leave the container running after checkpoint" }),
} as const;

export const checkpointCreate: Command = {
  usage: "create [OPTIONS] CONTAINER CHECKPOINT",
  summary: "Create a checkpoint from a running container",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "checkpoint create", { least: 2, most: 2 });
    const [container = "", name = ""] = args;
    using daemon = await context.openDaemon();
    const exit = !values["leave-running"];
    await daemon.snapshots.createCheckpoint(container, name, exit);
    context.stdout.write(`${name}\n`);
    return 0;
  },
};
