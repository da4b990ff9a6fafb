/** dvm volume prune: removes the volumes that no container has. */

import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, forceFlag, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { humanSize } from "../render/size.ts";
import { confirm } from "../terminal/confirm.ts";

const flags = {
  ...helpFlag,
  ...forceFlag,
  ...filterFlagOf('Provide filter values (e.g. "label=<label>")'),
  all: booleanFlag({ short: "a", help: "Remove all unused volumes, not just anonymous ones" }),
} as const;

export const volumePrune: Command = {
  usage: "prune [OPTIONS]",
  summary: "Remove unused local volumes",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "volume prune", {});
    const wanted = [...values.filter, ...(values.all ? [["all", "true"] as const] : [])];
    const which = values.all ? "all" : "anonymous";
    const warning = `WARNING! This will remove ${which} local volumes not used by at least one container.`;
    if (!values.force && !(await confirm(context, warning))) return 0;
    using daemon = await context.openDaemon();
    const { names, reclaimed } = await daemon.volumes.prune(filterValues(wanted));
    const deleted = names.length === 0 ? "" : `Deleted Volumes:\n${names.join("\n")}\n\n`;
    context.stdout.write(`${deleted}Total reclaimed space: ${humanSize(reclaimed)}\n`);
    return 0;
  },
};
