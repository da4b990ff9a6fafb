/** dvm load: the images of an archive, a layout or a stream into the store. */

import { open, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { CliContext, Command } from "../command.ts";
import { packLocal } from "../copy/pack-local.ts";
import { cliError } from "../errors.ts";
import { fileError } from "../parse/file-error.ts";
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
    const archive = await archiveOf(values.input, context);
    using daemon = await context.openDaemon();
    const { onProgress } = transferRenderer(context.stderr, values.quiet);
    const { platform } = values;
    const loaded = await interruptible((signal) =>
      daemon.images.load(archive, { platform, onProgress, signal }),
    );
    for (const line of loaded) context.stdout.write(`${line}\n`);
    return 0;
  },
};

/** The daemon may be elsewhere, so a folder goes to it as an archive. @throws DvmError `FLAG_FILE` */
async function archiveOf(path: string | undefined, { stdin }: CliContext): Promise<Readable> {
  if (path === undefined) return stdin;
  try {
    if ((await stat(path)).isDirectory()) {
      return Readable.from(packLocal({ path, name: "", followLink: true }), { objectMode: false });
    }
    return (await open(path, "r")).createReadStream({ highWaterMark: CHUNK });
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Length of a read, in `bytes`. */
const CHUNK = 256 * 1024;
