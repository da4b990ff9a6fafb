/** dvm logs: what a container has written, and with -f what it goes on to write. */

import type { Command } from "../command.ts";
import { copyOutput } from "../copy-output.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";

const flags = {
  ...helpFlag,
  details: booleanFlag({ help: "Show extra details provided to logs" }),
  follow: booleanFlag({ short: "f", help: "Follow log output" }),
  since: valueFlag({
    placeholder: "string",
    help: "Show logs since a time (such as 2013-01-02T13:23:37Z) or a span before now (such as 42m)",
    parse: asText,
  }),
  tail: valueFlag({
    short: "n",
    placeholder: "string",
    help: "Number of lines to show from the end of the logs",
    parse: asText,
    defaultText: '"all"',
  }),
  timestamps: booleanFlag({ short: "t", help: "Show timestamps" }),
  until: valueFlag({
    placeholder: "string",
    help: "Show logs before a time (such as 2013-01-02T13:23:37Z) or a span before now (such as 42m)",
    parse: asText,
  }),
} as const;

export const logs: Command = {
  usage: "logs [OPTIONS] CONTAINER",
  summary: "Fetch the logs of a container",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "logs", { least: 1 });
    const [container = ""] = args;
    const { since, until, tail, follow, timestamps, details } = values;
    using daemon = await context.openDaemon();
    const { Config: config } = await daemon.details(container);
    const query = { stdout: true, stderr: true, since, until, tail, follow, timestamps, details };
    const source = await daemon.logs(container, query);
    await copyOutput({ context, source, terminal: config.Tty });
    return 0;
  },
};
