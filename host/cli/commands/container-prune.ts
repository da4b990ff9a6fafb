/** dvm container prune: remove all containers that do not run. */

import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, forceFlag, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { humanSize } from "../render/size.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...helpFlag,
  ...forceFlag,
  ...filterFlagOf('Provide filter values (e.g. "until=<timestamp>")'),
} as const;

export const containerPrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove all stopped containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "container prune", {});
    const warning = "WARNING! This will remove all stopped containers.";
    if (!values.force && !(await confirm(context, warning))) return 0;
    using daemon = await context.openDaemon();
    const { ContainersDeleted: ids, SpaceReclaimed: bytes } = await daemon.prune(
      filterValues(values.filter),
    );
    const deleted = ids.length === 0 ? "" : `Deleted Containers:\n${ids.join("\n")}\n\n`;
    context.stdout.write(`${deleted}Total reclaimed space: ${humanSize(bytes)}\n`);
    return 0;
  },
};
