/** dvm rmi: takes names away, and with the last one the image. */

import type { RemovedLine } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { renderError } from "../render/error.ts";

const flags = {
  ...helpFlag,
  force: booleanFlag({ short: "f", help: "Force removal of the image" }),
} as const;

export const rmi: Command = {
  usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove one or more images",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length === 0) throw cliError("ARGUMENTS", "'dvm rmi' requires at least 1 argument");
    using daemon = await context.openDaemon();
    let exitCode = 0;
    for (const reference of args) {
      try {
        const removed = await daemon.images.remove(reference, { force: values.force });
        for (const line of removed) context.stdout.write(`${removedText(line)}\n`);
      } catch (error) {
        context.stderr.write(renderError(error, { name: "rmi" }));
        const isGone =
          error instanceof Error && "code" in error && error.code === "IMAGE_NOT_FOUND";
        if (!(values.force && isGone)) exitCode = 1;
      }
    }
    return exitCode;
  },
};

function removedText({ Untagged: name, Deleted: digest }: RemovedLine): string {
  return name === "" ? `Deleted: ${digest}` : `Untagged: ${name}`;
}
