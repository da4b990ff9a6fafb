/** dvm tag: another name for an image. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";

export const tag: Command = {
  usage: "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    const [source, target] = args;
    if (source === undefined || target === undefined || args.length > 2)
      throw cliError("ARGUMENTS", "'dvm tag' requires 2 arguments");
    using daemon = await context.openDaemon();
    await daemon.images.tag(source, target);
    return 0;
  },
};
