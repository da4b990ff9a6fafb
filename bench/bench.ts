/** What `dvm bench` does; host/cli/commands/bench.ts loads it when it is called and not before. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { allArms } from "./arms/all-arms.ts";
import { benchError } from "./errors.ts";
import { htmlPage } from "./page/html.ts";
import { markdownPage } from "./page/markdown.ts";
import { textTable } from "./page/text.ts";
import { RESULTS } from "./paths.ts";
import { compareResults } from "./result/compare.ts";
import { joinResults } from "./result/join.ts";
import type { BenchResult } from "./result/result.ts";
import { readResult, readResults } from "./result/result-file.ts";
import { runBench } from "./run-bench.ts";
import { allScenarios } from "./scenarios/all-scenarios.ts";
import { compareToSpecification } from "./spec/compare-to-specification.ts";

/** What the command line asked for. */
export interface BenchRequest {
  /** a scenario each, or `ls`, `compare A B`, `boot`, `spec`, `report FILE...` */
  readonly args: readonly string[];
  readonly baselines: readonly string[];
  readonly backends: readonly string[];
  readonly runs: number | undefined;
  readonly seconds: number | undefined;
  readonly counts: readonly number[];
  readonly image: string | undefined;
  readonly json: string | undefined;
  readonly report: string | undefined;
  readonly profile: boolean;
  readonly force: boolean;
  readonly quiet: boolean;
}

/** Where the words go. */
export interface BenchOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Length of one run of a tool that runs for a time, in `seconds`. */
const SECONDS = 2;
const COUNTS = [1, 10];

/** @returns the exit code @throws DvmError */
export async function bench(request: BenchRequest, output: BenchOutput): Promise<number> {
  const [first, ...rest] = request.args;
  switch (first) {
    case "ls":
      output.out(list());
      return 0;
    case "compare":
      return await compare(rest, request, output);
    case "report":
      await writeReport(await readJoined(rest), request.report ?? ".", output);
      return 0;
    case "spec":
      output.out(await compareToSpecification(await readResults(RESULTS, output.err)));
      return 0;
    case "boot":
      return await measure(
        { ...request, args: [request.profile ? "boot-profile" : "boot"] },
        output,
      );
    default:
      return await measure(request, output);
  }
}

async function measure(request: BenchRequest, output: BenchOutput): Promise<number> {
  const { baselines, backends, runs, seconds = SECONDS, counts, image } = request;
  using interruption = new Interruption();
  // dvm's arms have daemons of their own: another one would be measured in their place
  delete process.env.DVM_HOST;
  const result = await runBench({
    signal: interruption.signal,
    scenarios: request.args,
    baselines,
    backends,
    ...(runs === undefined ? {} : { runs }),
    settings: {
      seconds,
      counts: counts.length === 0 ? COUNTS : counts,
      ...(image === undefined ? {} : { image }),
    },
    say: (text) => {
      if (!request.quiet) output.err(`bench: ${text}\n`);
    },
  });
  output.out(textTable(result));
  await keep(result, request, output);
  if (request.report !== undefined) await writeReport(result, request.report, output);
  // a bench in which an asked scenario gave no figure has failed
  return result.scenarios.every(({ metrics }) => metrics.length > 0) ? 0 : 1;
}

/** Lets a bench end in order when its user ends it: what runs is awaited, what was made is removed. */
class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #stop = (): void =>
    this.#controller.abort(benchError("INTERRUPTED", "the bench was interrupted"));

  constructor() {
    process.on("SIGINT", this.#stop).on("SIGTERM", this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off("SIGINT", this.#stop).off("SIGTERM", this.#stop);
  }
}

/** In the file asked for, else among the project's own results. */
async function keep(
  result: BenchResult,
  { json }: BenchRequest,
  output: BenchOutput,
): Promise<void> {
  const path = json ?? join(RESULTS, `bench-${result.environment.date.replaceAll(":", "")}.json`);
  if (json === undefined) await mkdir(RESULTS, { recursive: true });
  await writeFile(path, `${JSON.stringify(result, null, 1)}\n`);
  output.err(`result: ${path}\n`);
}

async function writeReport(
  result: BenchResult,
  folder: string,
  output: BenchOutput,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "index.html"), htmlPage(result));
  await writeFile(join(folder, "report.md"), markdownPage(result));
  await writeFile(join(folder, "result.json"), `${JSON.stringify(result, null, 1)}\n`);
  output.err(`report: ${join(folder, "index.html")}\n`);
}

async function compare(
  paths: readonly string[],
  { force }: BenchRequest,
  output: BenchOutput,
): Promise<number> {
  const [a, b] = paths;
  if (a === undefined || b === undefined || paths.length > 2)
    throw benchError("ARGUMENTS", "'dvm bench compare' requires two results");
  output.out(compareResults(await readResult(a), await readResult(b), { force }));
  return 0;
}

async function readJoined(paths: readonly string[]): Promise<BenchResult> {
  const [first, ...others] = await Promise.all(paths.map(readResult));
  if (first === undefined)
    throw benchError("ARGUMENTS", "usage: dvm bench report FILE... --report DIR");
  return joinResults([first, ...others]);
}

function list(): string {
  const scenarios = allScenarios.map(({ name, usual, question, tools }) => [
    usual ? `${name} *` : name,
    tools.length === 0 ? question : `${question} (${tools.join(", ")})`,
  ]);
  const arms = allArms.map(({ name, how }) => [name, how]);
  const rows = (all: readonly (readonly string[])[]): string =>
    all.map(([name = "", words]) => `  ${name.padEnd(20)} ${words}`).join("\n");
  return `scenarios (* when none is named), and the programs that an image needs for them\n${rows(scenarios)}\n\nbaselines and backends\n${rows(arms)}\n`;
}
