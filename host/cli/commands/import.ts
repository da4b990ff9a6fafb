/** dvm import: an image of one layer from a tar of a file system. */

import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
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
    const tar = await openSource(source, context);
    using daemon = await context.openDaemon();
    const id = await interruptible((signal) =>
      daemon.images.import(tar, {
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

/** @throws DvmError `FLAG_FILE` */
async function openSource(source: string, { stdin }: CliContext): Promise<Readable> {
  if (source === "-") return stdin;
  try {
    return (await open(source, "r")).createReadStream({ highWaterMark: CHUNK });
  } catch (cause) {
    throw fileError(source, cause);
  }
}

/** Length of a read, in `bytes`. */
const CHUNK = 256 * 1024;
