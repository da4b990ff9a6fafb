/** dvm image prune: removes images that nothing needs. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { filterFlagOf } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filterValues, helpFlag } from "../parse/image-flags.ts";
import { humanSize } from "../render/size.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...helpFlag,
  ...filterFlagOf('Provide filter values (e.g. "label=<key>=<value>")'),
  all: booleanFlag({ short: "a", help: "Remove all unused images, not just dangling ones" }),
  force: booleanFlag({ short: "f", help: "Do not prompt for confirmation" }),
} as const;

export const imagePrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove unused images",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm image prune' accepts no arguments");
    const { dangling = [], ...others } = filterValues(values.filter);
    const all = values.all || dangling.includes("false") || dangling.includes("0");
    const what = all
      ? "all images without at least one container associated to them"
      : "all dangling images";
    if (!values.force && !(await confirm(context, `WARNING! This will remove ${what}.`))) return 0;
    using daemon = await context.openDaemon();
    const { ImagesDeleted: removed, SpaceReclaimed: reclaimed } = await daemon.images.prune({
      ...others,
      dangling: all ? ["false"] : dangling,
    });
    if (removed.length > 0) context.stdout.write("Deleted Images:\n");
    for (const { Untagged: name, Deleted: digest } of removed)
      context.stdout.write(name === "" ? `deleted: ${digest}\n` : `untagged: ${name}\n`);
    context.stdout.write(`\nTotal reclaimed space: ${humanSize(reclaimed)}\n`);
    return 0;
  },
};
