/** dvm export: the root file system of a container as tar. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { asText, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { interruptible } from "../terminal/interruptible.ts";
import { writeOutput } from "../write-output.ts";

const flags = {
  ...helpFlag,
  output: valueFlag({
    short: "o",
    placeholder: "string",
    help: "Write to a file, instead of STDOUT",
    parse: asText,
  }),
} as const;

export const exportCommand: Command = {
  usage: "export [OPTIONS] CONTAINER",
  summary: "Export a container's filesystem as a tar archive",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "export", { least: 1 });
    using daemon = await context.openDaemon();
    await interruptible((signal) =>
      writeOutput({
        context,
        path: values.output,
        open: () => daemon.files.exportTar(args[0] ?? "", signal),
        signal,
      }),
    );
    return 0;
  },
};
