/** dvm create: make a container that is started later. */

import { createContainer } from "../../api/client/create-container.ts";
import { withAbsoluteImage } from "../absolute-image.ts";
import type { Command } from "../command.ts";
import { daemonConfig, daemonFlags } from "../daemon-flags.ts";
import { cliError } from "../errors.ts";
import { reserveCidfile } from "../parse/cidfile.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { progressRenderer } from "../render/progress.ts";
import { transferRenderer } from "../render/transfer.ts";
import { runConfig } from "../run-config.ts";
import { allRunFlags, runFlags, unsupportedHint, unsupportedNames } from "../run-flags.ts";
import { interruptible } from "../terminal/interruptible.ts";

const { detach, "sig-proxy": sigProxy, verbose, ...shared } = runFlags;
const flags = { ...shared, ...daemonFlags } as const;
/** Those that Docker knows too, to be refused by name. */
const known = { ...allRunFlags, ...flags } as const;

export const create: Command = {
  usage: "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  flags,
  run: async (words, context) => {
    const { values, given, args } = parseFlags(known, words, { interspersed: false });
    const [image, ...command] = args;
    if (image === undefined) {
      throw cliError("ARGUMENTS", "'dvm create' requires at least 1 argument");
    }
    for (const name of given) {
      if (["detach", "sig-proxy", "verbose"].includes(name)) {
        throw cliError("USAGE", `unknown flag: --${name}`);
      }
      if (!unsupportedNames.has(name) || Object.hasOwn(daemonFlags, name)) continue;
      throw cliError("UNSUPPORTED", `--${name} is not supported yet`, {
        hint: unsupportedHint(name),
      });
    }
    const { environment, stderr } = context;
    const config = {
      ...runConfig({ values, image, command, environment }),
      ...daemonConfig(values),
      stdinOnce: values.interactive,
    };
    using cidfile = reserveCidfile(values.cidfile);
    using daemon = await context.openDaemon();
    const { quiet } = values;
    const { onEvent, clear } = progressRenderer({ stderr, verbose: false, quiet });
    const { onProgress: onTransfer } = transferRenderer(stderr, quiet);
    const id = await interruptible((signal) =>
      createContainer(daemon, withAbsoluteImage(config), { onEvent, onTransfer, signal }),
    );
    clear();
    cidfile.write(id);
    context.stdout.write(`${id}\n`);
    return 0;
  },
};
