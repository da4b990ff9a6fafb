/** dvm pull: an image from its registry into the store. */

import { openImages } from "../../api/engine-api.ts";
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
  "all-tags": booleanFlag({ short: "a", help: "Download all tagged images (not supported)" }),
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
    if (values["all-tags"]) {
      throw cliError("UNSUPPORTED", "--all-tags is not supported", {
        hint: "pull each tag by its name",
      });
    }
    const images = await openImages(context);
    const { onProgress } = transferRenderer(context.stderr, values.quiet);
    const pulled = await interruptible((signal) =>
      images.pull(name, {
        platform: values.platform,
        insecure: values["insecure-registry"],
        onProgress,
        signal,
      }),
    );
    const status = pulled.isNew ? "Downloaded newer image" : "Image is up to date";
    if (!values.quiet) {
      context.stdout.write(`Digest: ${pulled.digest}\nStatus: ${status} for ${name}\n`);
    }
    context.stdout.write(`${pulled.name}\n`);
    return 0;
  },
};
