/** dvm import: an image of one layer from a tar of a file system. */

import { createReadStream } from "node:fs";
import { openImages } from "../../api/engine-api.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { fileError } from "../parse/file-error.ts";
import { asText, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag, platformFlag } from "../parse/image-flags.ts";
import { interruptible } from "../terminal/interruptible.ts";

const flags = {
  ...helpFlag,
  ...platformFlag,
  change: listFlag({
    short: "c",
    help: "Apply Dockerfile instruction to the created image",
    parse: asText,
  }),
  message: valueFlag({
    short: "m",
    placeholder: "string",
    help: "Set commit message for imported image",
    parse: asText,
  }),
} as const;

export const importCommand: Command = {
  usage: "import [OPTIONS] file|- [REPOSITORY[:TAG]]",
  summary: "Import the contents from a tarball to create a filesystem image",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    const [source, name] = args;
    if (source === undefined || args.length > 2)
      throw cliError("ARGUMENTS", "'dvm import' requires 1 to 2 arguments");
    if (/^https?:\/\//.test(source)) {
      throw cliError("UNSUPPORTED", "importing from a URL is not supported", {
        hint: "get the file, and import it or pipe it to dvm import -",
      });
    }
    const images = await openImages(context);
    const id = await interruptible((signal) =>
      images.import(readSource(source, context), {
        name,
        platform: values.platform,
        changes: values.change,
        message: values.message ?? `Imported from ${source}`,
        signal,
      }),
    );
    context.stdout.write(`${id}\n`);
    return 0;
  },
};

/** Chunks that nobody changes any more. */
async function* readSource(source: string, { stdin }: CliContext): AsyncGenerator<Uint8Array> {
  const input = source === "-" ? stdin : createReadStream(source, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of input) yield chunk;
  } catch (error) {
    throw source === "-" ? error : fileError(source, error);
  }
}
