/** dvm history: the steps that made an image. */

import type { ImageStep } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { agoOf, rfcTimeOf } from "../render/age.ts";
import { renderRows } from "../render/rows.ts";
import { humanSize } from "../render/size.ts";

const flags = {
  ...helpFlag,
  format: valueFlag({
    placeholder: "string",
    help: "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or 'TEMPLATE'",
    parse: asText,
  }),
  human: booleanFlag({
    short: "H",
    help: "Print sizes and dates in human readable format",
    initial: true,
  }),
  "no-trunc": booleanFlag({ help: "Don't truncate output" }),
  quiet: booleanFlag({ short: "q", help: "Only show image IDs" }),
} as const;

/** Longest step in the table, in characters. */
const MAX_STEP = 45;
const TABLE = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const TITLES = { ID: "IMAGE", CreatedSince: "CREATED", CreatedBy: "CREATED BY", Size: "SIZE" };

export const history: Command = {
  usage: "history [OPTIONS] IMAGE",
  summary: "Show the history of an image",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    const [reference] = args;
    if (reference === undefined || args.length > 1)
      throw cliError("ARGUMENTS", "'dvm history' requires 1 argument");
    using daemon = await context.openDaemon();
    const rows = rowsOf(await daemon.images.history(reference), values);
    context.stdout.write(
      values.quiet
        ? rows.map(({ ID }) => `${ID}\n`).join("")
        : renderRows(rows, { format: values.format, table: TABLE, titles: TITLES }),
    );
    return 0;
  },
};

function rowsOf(
  steps: readonly ImageStep[],
  values: { readonly "no-trunc": boolean; readonly human: boolean },
) {
  const whole = values["no-trunc"];
  return steps.map(({ Id: id, Created: created, CreatedBy, Size: size, Comment: comment }) => {
    const step = CreatedBy.replaceAll(/\s+/g, " ");
    return {
      ID: whole ? id : id.replace("sha256:", "").slice(0, 12),
      CreatedAt: rfcTimeOf(created),
      CreatedSince: values.human ? agoOf(created) : rfcTimeOf(created),
      CreatedBy: whole || step.length <= MAX_STEP ? step : `${step.slice(0, MAX_STEP - 1)}…`,
      Size: values.human ? humanSize(size) : String(size),
      Comment: comment,
    };
  });
}
