/** dvm push: an image of the store into its registry. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { helpFlag, insecureFlag } from "../parse/image-flags.ts";
import { transferRenderer } from "../render/transfer.ts";
import { interruptible } from "../terminal/interruptible.ts";

const flags = {
  ...helpFlag,
  ...insecureFlag,
  "all-tags": booleanFlag({
    short: "a",
    help: "Push all tags of an image to the repository",
  }),
  quiet: booleanFlag({ short: "q", help: "Suppress verbose output" }),
} as const;

export const push: Command = {
  usage: "push [OPTIONS] NAME[:TAG]",
  summary: "Upload an image to a registry",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    const [name] = args;
    if (name === undefined || args.length > 1)
      throw cliError("ARGUMENTS", "'dvm push' requires 1 argument");
    const all = values["all-tags"];
    if (all && /[:@][^/]*$/.test(name))
      throw cliError("ARGUMENTS", "tag can't be used with --all-tags/-a");
    using daemon = await context.openDaemon();
    const { onProgress } = transferRenderer(context.stderr, values.quiet);
    const insecure = values["insecure-registry"];
    const pushed = await interruptible((signal) =>
      daemon.images.push(name, { insecure, all, onProgress, signal }),
    );
    if (values.quiet) context.stdout.write(`${name}\n`);
    else
      for (const { tag, digest, size } of pushed)
        context.stdout.write(`${tag}: digest: ${digest} size: ${size}\n`);
    return 0;
  },
};
