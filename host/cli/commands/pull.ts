/** dvm pull: an image from its registry into the store. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { helpFlag, insecureFlag, platformFlag } from "../parse/image-flags.ts";
import { transferRenderer } from "../render/transfer.ts";
import { interruptible } from "../terminal/interruptible.ts";

const flags = {
  ...helpFlag,
  ...insecureFlag,
  ...platformFlag,
  "all-tags": booleanFlag({ short: "a", help: "Download all tagged images in the repository" }),
  quiet: booleanFlag({ short: "q", help: "Suppress verbose output" }),
} as const;

export const pull: Command = {
  usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Download an image from a registry",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    const [name] = args;
    if (name === undefined || args.length > 1)
      throw cliError("ARGUMENTS", "'dvm pull' requires 1 argument");
    const all = values["all-tags"];
    if (all && /[:@][^/]*$/.test(name))
      throw cliError("ARGUMENTS", "tag can't be used with --all-tags/-a");
    using daemon = await context.openDaemon();
    const { onProgress } = transferRenderer(context.stderr, values.quiet);
    const { platform, "insecure-registry": insecure } = values;
    const pulled = await interruptible((signal) =>
      daemon.images.pull(name, { platform, insecure, all, onProgress, signal }),
    );
    for (const { name: full, digest, isNew } of pulled) {
      const status = isNew ? "Downloaded newer image" : "Image is up to date";
      if (!values.quiet)
        context.stdout.write(`Digest: ${digest}\nStatus: ${status} for ${all ? full : name}\n`);
      context.stdout.write(`${full}\n`);
    }
    return 0;
  },
};
