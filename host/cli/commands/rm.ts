/** dvm rm: remove containers. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderError } from "../render/error.ts";

const flags = {
  force: booleanFlag({
    short: "f",
    help: "Force the removal of a running container (uses SIGKILL)",
  }),
  help: booleanFlag({ help: "Print usage" }),
  volumes: booleanFlag({
    short: "v",
    help: "Remove anonymous volumes associated with the container",
  }),
} as const;

export const rm: Command = {
  usage: "rm [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove one or more containers",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length === 0) {
      throw cliError("ARGUMENTS", "'dvm rm' requires at least 1 argument");
    }
    await using engine = await context.openEngine(() => {});
    let exitCode = 0;
    for (const reference of args) {
      try {
        await engine.remove(reference, { force: values.force });
        context.stdout.write(`${reference}\n`);
      } catch (error) {
        // with --force a container that is not there is as good as removed
        const isGone =
          error instanceof Error && "code" in error && error.code === "NO_SUCH_CONTAINER";
        context.stderr.write(renderError(error, { name: "rm" }));
        if (!(values.force && isGone)) exitCode = 1;
      }
    }
    return exitCode;
  },
};
