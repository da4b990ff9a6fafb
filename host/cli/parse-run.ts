/** The words of `dvm run`: its flags, and the container that they ask for. */

import type { WantedContainer } from "../api/engine-api.ts";
import { withAbsoluteImage } from "./absolute-image.ts";
import type { CliContext } from "./command.ts";
import { daemonConfig, daemonFlags } from "./daemon-flags.ts";
import { cliError } from "./errors.ts";
import { detachKeysFlag } from "./parse/common-flags.ts";
import { type FlagValues, parseFlags } from "./parse/flag-set.ts";
import { runConfig } from "./run-config.ts";
import { allRunFlags, runFlags, unsupportedHint, unsupportedNames } from "./run-flags.ts";

export const runCommandFlags = { ...runFlags, ...daemonFlags, ...detachKeysFlag } as const;
/** Those that Docker knows too, to be refused by name. */
const known = { ...allRunFlags, ...runCommandFlags } as const;
export type RunFlagValues = FlagValues<typeof runCommandFlags>;

/** @throws DvmError for words that make no sense; HelpRequest */
export function parseRun(
  words: readonly string[],
  environment: CliContext["environment"],
): { readonly values: RunFlagValues; readonly config: WantedContainer } {
  const { values, given, args } = parseFlags(known, words, { interspersed: false });
  const [image, ...command] = args;
  if (image === undefined) throw cliError("ARGUMENTS", "'dvm run' requires at least 1 argument");
  for (const name of given) {
    if (!unsupportedNames.has(name) || Object.hasOwn(runCommandFlags, name)) continue;
    throw cliError("UNSUPPORTED", `--${name} is not supported yet`, {
      hint: unsupportedHint(name),
    });
  }
  if (values.detach && values.attach.length > 0) {
    throw cliError("ARGUMENTS", "conflicting options: cannot specify both --attach and --detach");
  }
  const config = {
    ...runConfig({ values, image, command, environment }),
    ...daemonConfig(values),
  };
  return { values, config: withAbsoluteImage(config) };
}
