/** dvm template build: makes the templates of plain containers before the first of them is run. */

import { openTemplates } from "../../api/template-api.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { runFlags } from "../run-flags.ts";

const flags = {
  accel: runFlags.accel,
  cpus: runFlags.cpus,
  help: runFlags.help,
  memory: runFlags.memory,
  vmm: runFlags.vmm,
} as const;

export const templateBuild: Command = {
  usage: "build [OPTIONS]",
  summary: "Boot and save the machines of containers with these limits",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm template build' accepts no arguments");
    const templates = await openTemplates(context);
    await templates.build({
      machine: { accelerator: values.accel ?? "auto", backend: values.vmm ?? "auto" },
      resources: {
        ...(values.memory === undefined ? {} : { memory: values.memory }),
        ...(values.cpus === undefined ? {} : { nanoCpus: values.cpus }),
      },
    });
    return 0;
  },
};
