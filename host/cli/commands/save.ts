/** dvm save: images as an archive that is an OCI layout and a docker archive in one. */

import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { openImages } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { interruptible } from "../terminal/interruptible.ts";

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
    if (values.output === undefined && context.stdout.isTTY === true) {
      throw cliError(
        "CONFLICT",
        "cowardly refusing to save to a terminal. Use the -o flag or redirect",
      );
    }
    const images = await openImages(context);
    await interruptible(async (signal) => {
      if (values.output === undefined) await images.save(args, context.stdout, signal);
      else await toFile(values.output, (output) => images.save(args, output, signal));
    });
    return 0;
  },
};

/** The file gets its name when it is whole. */
async function toFile(
  path: string,
  write: (output: NodeJS.WritableStream & import("node:stream").Writable) => Promise<void>,
): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await write(createWriteStream(partial, { flags: "wx", mode: 0o600 }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
