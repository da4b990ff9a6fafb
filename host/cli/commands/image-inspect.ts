/** dvm image inspect: images as Docker's JSON. */

import { imageJson } from "../../api/docker/image-json.ts";
import { openImages } from "../../api/engine-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { renderError } from "../render/error.ts";
import { parseTemplate } from "../render/template.ts";

const flags = {
  ...helpFlag,
  format: valueFlag({
    short: "f",
    placeholder: "string",
    help: "Format output using a custom template: 'json' or 'TEMPLATE'",
    parse: asText,
  }),
} as const;

export const imageInspect: Command = {
  usage: "inspect [OPTIONS] IMAGE [IMAGE...]",
  summary: "Display detailed information on one or more images",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length === 0)
      throw cliError("ARGUMENTS", "'dvm image inspect' requires at least 1 argument");
    const { format } = values;
    const template = format === undefined || format === "json" ? undefined : parseTemplate(format);
    const images = await openImages(context);
    const found: Record<string, unknown>[] = [];
    let exitCode = 0;
    for (const reference of args) {
      try {
        found.push(imageJson(await images.find(reference)));
      } catch (error) {
        context.stderr.write(renderError(error, { name: "image inspect" }));
        exitCode = 1;
      }
    }
    const indent = format === "json" ? undefined : 4;
    context.stdout.write(
      template === undefined
        ? `${JSON.stringify(found, undefined, indent)}\n`
        : found.map((image) => `${template(image)}\n`).join(""),
    );
    return exitCode;
  },
};
