/** dvm rm: remove containers. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";

const flags = {
  ...helpFlag,
  force: booleanFlag({
    short: "f",
    help: "Force the removal of a running container (uses SIGKILL)",
  }),
  link: booleanFlag({ short: "l", help: "Remove the specified link" }),
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
    checkCount(args, "rm", { least: 1, most: Number.POSITIVE_INFINITY });
    if (values.link) {
      throw cliError(
        "UNSUPPORTED",
        "--link is not supported: there are no links between containers",
      );
    }
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "rm",
      references: args,
      act: async (reference) => {
        await daemon.remove(reference, { force: values.force, v: values.volumes });
        return reference;
      },
      // with --force a container that is not there is as good as removed
      forgives: (error) =>
        values.force &&
        error instanceof Error &&
        "code" in error &&
        error.code === "NO_SUCH_CONTAINER",
    });
  },
};
