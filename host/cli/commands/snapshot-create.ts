/** dvm snapshot create: save a running container, memory and files; it runs on. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const snapshotCreate: Command = {
  usage: "create CONTAINER [SNAPSHOT]",
  summary: "Save a running container, memory and files",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "snapshot create", { least: 1, most: 2 });
    const [container = "", name] = args;
    using daemon = await context.openDaemon();
    context.stdout.write(`${await daemon.snapshots.create(container, name)}\n`);
    return 0;
  },
};
