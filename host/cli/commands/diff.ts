/** dvm diff: what a container has changed of its image. */

import { printableText } from "../../printable-text.ts";
import type { Command } from "../command.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";

/** By the API's number for it: changed, added, deleted. */
const LETTERS = ["C", "A", "D"] as const;

export const diff: Command = {
  usage: "diff CONTAINER",
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "diff", { least: 1 });
    using daemon = await context.openDaemon();
    const changes = await daemon.files.changes(args[0] ?? "");
    const lines = changes.map(
      ({ Path: path, Kind: kind }) => `${LETTERS[kind] ?? "?"} ${printableText(path)}\n`,
    );
    context.stdout.write(lines.join(""));
    return 0;
  },
};
