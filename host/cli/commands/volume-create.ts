/** dvm volume create: a folder, or a disk, that outlasts containers. */

import { openVolumes } from "../../api/volume-api.ts";
import type { Command } from "../command.ts";
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
    const [name] = args;
    const volumes = await openVolumes(context);
    const created = await volumes.create({
      ...(name === undefined ? {} : { name }),
      ...(values.driver === undefined ? {} : { driver: values.driver }),
      labels: Object.fromEntries(values.label),
      options: Object.fromEntries(values.opt),
    });
    context.stdout.write(`${created.name}\n`);
    return 0;
  },
};
