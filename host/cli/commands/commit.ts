/** dvm commit: make an image of what a container has changed. */

import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { asText, booleanFlag, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";

const flags = {
  ...helpFlag,
  author: valueFlag({
    short: "a",
    placeholder: "string",
    help: 'Author (such as "Ada Lovelace <ada@example.com>")',
    parse: asText,
  }),
  change: listFlag({
    short: "c",
    help: "Apply Dockerfile instruction to the created image",
    parse: asText,
  }),
  message: valueFlag({
    short: "m",
    placeholder: "string",
    help: "Commit message",
    parse: asText,
  }),
  pause: booleanFlag({ short: "p", help: "Pause container during commit", initial: true }),
} as const;

export const commit: Command = {
  usage: "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  summary: "Create a new image from a container's changes",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "commit", { least: 1, most: 2 });
    const [container = "", name] = args;
    using daemon = await context.openDaemon();
    const id = await daemon.images.commit({
      container,
      name,
      author: values.author ?? "",
      comment: values.message ?? "",
      changes: values.change,
      pause: values.pause,
    });
    context.stdout.write(`${id}\n`);
    return 0;
  },
};
