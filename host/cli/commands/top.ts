/** dvm top: the processes of a container. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { renderTable } from "../render/table.ts";

export const top: Command = {
  usage: "top CONTAINER [ps OPTIONS]",
  summary: "Display the running processes of a container",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words, { interspersed: false });
    checkCount(args, "top", { least: 1, most: Number.POSITIVE_INFINITY });
    const [container = "", ...options] = args;
    using daemon = await context.openDaemon();
    const psArguments = options.length > 0 ? options.join(" ") : undefined;
    const { Titles: titles, Processes: processes } = await daemon.top(container, psArguments);
    context.stdout.write(renderTable(titles, processes));
    return 0;
  },
};
