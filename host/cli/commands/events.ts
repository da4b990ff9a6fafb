/** dvm events: what happens to containers and images, as it happens. */

import { createInterface } from "node:readline";
import type { Command } from "../command.ts";
import { checkCount, filterFlagOf, helpFlag } from "../parse/common-flags.ts";
import { asText, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { filterValues } from "../parse/image-flags.ts";
import { eventRenderer } from "../render/event-line.ts";

const text = (help: string) => valueFlag({ placeholder: "string", help, parse: asText });

const flags = {
  ...helpFlag,
  ...filterFlagOf("Filter output based on conditions provided", "f"),
  format: text("Format output using a custom template: 'json' or 'TEMPLATE'"),
  since: text("Show all events created since timestamp"),
  until: text("Stream events until this timestamp"),
} as const;

export const events: Command = {
  usage: "events [OPTIONS]",
  summary: "Get real time events from the server",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "events", {});
    const render = eventRenderer(values.format);
    using daemon = await context.openDaemon();
    const { since, until } = values;
    const source = await daemon.events({ since, until }, filterValues(values.filter));
    const { stdout } = context;
    stdout.once("error", () => source.destroy());
    for await (const line of createInterface({ input: source })) {
      if (line !== "") stdout.write(render(line));
    }
    return 0;
  },
};
