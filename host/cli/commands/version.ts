/** dvm version. */

import { versionInfo } from "../../doctor/version-info.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { renderVersion } from "../render/version.ts";

const flags = {
  format: valueFlag({
    short: "f",
    placeholder: "string",
    help: "Format output ('json')",
    parse: (text) => {
      if (text !== "json") throw new Error("only json is known");
      return text;
    },
  }),
  help: booleanFlag({ help: "Print usage" }),
} as const;

export const version: Command = {
  usage: "version [OPTIONS]",
  summary: "Show the version information",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm version' accepts no arguments");
    const info = await versionInfo();
    context.stdout.write(
      values.format === "json" ? `${JSON.stringify(info)}\n` : renderVersion(info),
    );
    return 0;
  },
};
