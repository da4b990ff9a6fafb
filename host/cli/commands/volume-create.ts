/** dvm volume create: a folder, or a disk, that outlasts containers. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { asText, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { parseKeyValue, parseLabel } from "../parse/key-values.ts";

const flags = {
  ...helpFlag,
  driver: valueFlag({
    short: "d",
    placeholder: "string",
    help: "Specify volume driver name",
    parse: asText,
    defaultText: '"local"',
  }),
  label: listFlag({ help: "Set metadata for a volume", parse: parseLabel }),
  name: valueFlag({ placeholder: "string", help: "Specify volume name", parse: asText }),
  opt: listFlag({
    short: "o",
    placeholder: "map",
    help: "Set driver specific options (type=disk and size=BYTES: a disk of its own)",
    parse: parseKeyValue,
  }),
} as const;

export const volumeCreate: Command = {
  usage: "create [OPTIONS] [VOLUME]",
  summary: "Create a volume",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "volume create", { most: 1 });
    const [name = values.name] = args;
    if (args.length > 0 && values.name !== undefined) {
      throw cliError(
        "ARGUMENTS",
        "conflicting options: either specify --name or provide positional arg, not both",
      );
    }
    using daemon = await context.openDaemon();
    const created = await daemon.volumes.create({
      name,
      driver: values.driver,
      labels: Object.fromEntries(values.label),
      options: Object.fromEntries(values.opt),
    });
    context.stdout.write(`${created}\n`);
    return 0;
  },
};
