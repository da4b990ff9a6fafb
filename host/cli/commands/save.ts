/** dvm save: images as an archive that is an OCI layout and a docker archive in one. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
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

export const save: Command = {
  usage: "save [OPTIONS] IMAGE [IMAGE...]",
  summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length === 0) throw cliError("ARGUMENTS", "'dvm save' requires at least 1 argument");
    using daemon = await context.openDaemon();
    await interruptible((signal) =>
      writeOutput({
        context,
        path: values.output,
        open: () => daemon.images.save(args, signal),
        signal,
      }),
    );
    return 0;
  },
};
