/** dvm version. */

import { findDaemon } from "../../api/client/start-daemon.ts";
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
    // one that does not run is not started for that
    using daemon = await findDaemon(context);
    const [info, server] = await Promise.all([versionInfo(), daemon?.version()]);
    const both = server === undefined ? info : { ...info, server };
    context.stdout.write(
      values.format === "json" ? `${JSON.stringify(both)}\n` : renderVersion(info, server),
    );
    return 0;
  },
};
