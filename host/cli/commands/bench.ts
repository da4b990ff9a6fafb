/** dvm bench: what a VM costs on this machine. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { bench as runBench } from "../../../bench/bench.ts";
import { DvmError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { asText, booleanFlag, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";

const names = (text: string): readonly string[] => text.split(",").filter((name) => name !== "");

/** @throws Error whose message says what is wrong with `text` */
function count(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new Error("must be a number from 1 to 999999");
  return Number(text);
}

const flags = {
  backend: listFlag({
    help: "Backends of dvm to measure: all that run here unless named",
    parse: names,
  }),
  baseline: listFlag({
    help: "Arms to measure beside dvm, or none: all that run here unless named",
    parse: names,
  }),
  count: listFlag({ help: "Numbers of containers for memory and density (1, 10)", parse: count }),
  force: booleanFlag({ help: "Compare results of different machines" }),
  help: booleanFlag({ help: "Print usage" }),
  image: valueFlag({
    placeholder: "string",
    help: "Image in place of the scenarios' own (bench, busybox, oci:FOLDER)",
    parse: asText,
  }),
  json: valueFlag({
    placeholder: "file",
    help: "File for the result; else it goes to bench/results",
    parse: asText,
  }),
  profile: booleanFlag({
    help: "With `boot`: which functions of the guest kernel the boot is spent in",
  }),
  quiet: booleanFlag({ short: "q", help: "No progress" }),
  report: valueFlag({
    placeholder: "folder",
    help: "Folder for a page with plots, and the same as Markdown",
    parse: asText,
  }),
  runs: valueFlag({
    placeholder: "int",
    help: "Counted rounds, in place of each scenario's own",
    parse: count,
  }),
  seconds: valueFlag({
    placeholder: "int",
    help: "Length of a run of a tool that runs for a time (2)",
    parse: count,
  }),
} as const;

/** The benches stand beside the program, not in its bundle: the path is made, so that nothing follows it. */
const MODULE = join(import.meta.dirname, "../../../bench/bench.ts");

export const bench: Command = {
  usage: "bench [OPTIONS] [SCENARIO...|ls|compare A B|boot|report RESULT|spec]",
  summary: "Measure what a VM costs here, beside plain namespaces",
  flags,
  run: async (words, { stdout, stderr }) => {
    const { values, args } = parseFlags(flags, words);
    const module: { readonly bench: typeof runBench } = await import(pathToFileURL(MODULE).href);
    const ended = module.bench(
      {
        ...values,
        args,
        baselines: values.baseline.flat(),
        backends: values.backend.flat(),
        counts: values.count,
      },
      { out: (text) => stdout.write(text), err: (text) => stderr.write(text) },
    );
    return await ended.catch((error: unknown) => {
      throw asOurs(error);
    });
  },
};

/** The bundle has a class DvmError of its own: an error from the sources is made one of that. */
function asOurs(error: unknown): unknown {
  if (error instanceof DvmError || !(error instanceof Error) || error.name !== "DvmError")
    return error;
  const { message, code, exitCode, hint, cause } = error as DvmError;
  return new DvmError(code, message, { exitCode, ...(hint === undefined ? {} : { hint }), cause });
}
