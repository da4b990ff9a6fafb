/** dvm doctor: what dvm needs of this machine, and whether it is there. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { renderChecks } from "../render/checks.ts";

const flags = {
  help: booleanFlag({ help: "Print usage" }),
  json: booleanFlag({ help: "Print in JSON format" }),
} as const;

export const doctor: Command = {
  usage: "doctor [OPTIONS]",
  summary: "Check what dvm needs on this machine",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 0) throw cliError("ARGUMENTS", "'dvm doctor' accepts no arguments");
    const [{ examine }, { machineChecks }] = await Promise.all([
      import("../../doctor/examine.ts"),
      import("../../doctor/machine-checks.ts"),
    ]);
    const report = await examine(machineChecks({ dataRoot: context.dataRoot }));
    context.stdout.write(
      values.json ? `${JSON.stringify(report, undefined, 2)}\n` : renderChecks(report),
    );
    return report.ok ? 0 : 1;
  },
};
