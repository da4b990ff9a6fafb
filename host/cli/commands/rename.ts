/** dvm rename: give a container another name. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

export const rename: Command = {
  usage: "rename CONTAINER NEW_NAME",
  summary: "Rename a container",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "rename", { least: 2 });
    const [container = "", name = ""] = args;
    using daemon = await context.openDaemon();
    await daemon.rename(container, name);
    return 0;
  },
};
