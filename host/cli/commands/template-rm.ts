/** dvm template rm: removes templates; machines that are clones of them run on. */

import { openTemplates } from "../../api/template-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";

const flags = { help: booleanFlag({ help: "Print usage" }) } as const;

export const templateRm: Command = {
  usage: "rm TEMPLATE [TEMPLATE...]",
  summary: "Remove one or more templates",
  flags,
  run: async (words, context) => {
    const { args } = parseFlags(flags, words);
    if (args.length === 0) {
      throw cliError("ARGUMENTS", "'dvm template rm' requires at least 1 argument");
    }
    const templates = await openTemplates(context);
    let exitCode = 0;
    for (const key of args) {
      try {
        await templates.remove(key);
        context.stdout.write(`${key}\n`);
      } catch (error) {
        context.stderr.write(renderError(error, { name: "template rm" }));
        exitCode = 1;
      }
    }
    return exitCode;
  },
};
