/** dvm load: the images of an archive, a layout or a stream into the store. */

import { familiarName } from "../../api/docker/image-json.ts";
import { openImages } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag, platformFlag } from "../parse/image-flags.ts";
import { transferRenderer } from "../render/transfer.ts";
import { interruptible } from "../terminal/interruptible.ts";

const flags = {
  ...helpFlag,
  ...platformFlag,
  input: valueFlag({
    short: "i",
    placeholder: "string",
    help: "Read from an archive or a folder, instead of STDIN",
    parse: asText,
  }),
  quiet: booleanFlag({ short: "q", help: "Suppress the load output" }),
} as const;

export const load: Command = {
  usage: "load [OPTIONS]",
  summary: "Load an image from a tar archive or STDIN",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm load' accepts no arguments");
    if (values.input === undefined && context.stdin.isTTY === true) {
      throw cliError("CONFLICT", "requested load from stdin, but stdin is empty");
    }
    const images = await openImages(context);
    const { onProgress } = transferRenderer(context.stderr, values.quiet);
    const loaded = await interruptible((signal) =>
      images.load(values.input ?? context.stdin, { platform: values.platform, onProgress, signal }),
    );
    for (const { id, name } of loaded)
      context.stdout.write(
        name === undefined ? `Loaded image ID: ${id}\n` : `Loaded image: ${familiarName(name)}\n`,
      );
    return 0;
  },
};
