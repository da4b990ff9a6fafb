/** What the project promises beside what was measured last. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { median } from "../measure/bootstrap.ts";
import { PROJECT, SPECIFICATION } from "../paths.ts";
import type { BenchResult } from "../result/result.ts";
import { allScenarios } from "../scenarios/all-scenarios.ts";
import { type Promised, readSpecification } from "./specification.ts";

/** @param results the newest first */
export async function compareToSpecification(results: readonly BenchResult[]): Promise<string> {
  const promises = readSpecification(await readFile(SPECIFICATION, "utf8"));
  return specificationTable(promises, results);
}

export function specificationTable(
  promises: readonly Promised[],
  results: readonly BenchResult[],
): string {
  const lines = promises.map((promised) => {
    const found = measured(promised, results);
    const bound = `${promised.bound} ${promised.value} ${promised.unit}`;
    const figure =
      found === undefined
        ? `not measured: ${howTo(promised)}`
        : `${Number(found.value.toPrecision(4))} ${promised.unit}  (n ${found.n}, ${found.date.slice(0, 16)}${found.emulated ? ", TCG" : ""})`;
    const verdict = found === undefined ? "open" : keeps(promised, found.value) ? "kept" : "missed";
    return `${verdict.padEnd(7)} ${promised.promise}\n        ${bound}: ${figure}`;
  });
  return `${lines.join("\n")}\n`;
}

interface Figure {
  readonly value: number;
  readonly n: number;
  readonly date: string;
  /** whether an emulator ran the guest */
  readonly emulated: boolean;
}

/** The newest figure of the promise's place; of ratios the median, taken round by round. */
export function measured(
  { scenario, metric, arm, over, unit }: Promised,
  results: readonly BenchResult[],
): Figure | undefined {
  for (const result of results) {
    const { date } = result.environment;
    const found = result.scenarios
      .find(({ name }) => name === scenario)
      ?.metrics.find(({ name }) => name === metric);
    if (found === undefined) continue;
    const matches = (name: string): boolean => name.includes(arm);
    const emulated = found.arms.some((each) => matches(each.arm) && /tcg/i.test(each.arm));
    if (over === undefined) {
      const figures = found.unit === unit && found.arms.find((each) => matches(each.arm));
      if (figures) return { value: figures.summary.median, n: figures.summary.n, date, emulated };
      continue;
    }
    const value = unit === "×" ? ratio(found, matches, over) : difference(found, matches, over);
    if (value !== undefined) return { ...value, date, emulated };
  }
  return undefined;
}

type Found = BenchResult["scenarios"][number]["metrics"][number];

/** The result's own ratio where it has it, else the median of the rounds' quotients. */
function ratio(
  { arms, ratios }: Found,
  matches: (name: string) => boolean,
  over: string,
): { readonly value: number; readonly n: number } | undefined {
  const own = ratios.find((each) => matches(each.arm) && each.over.includes(over));
  if (own !== undefined) return { value: own.interval.median, n: own.n };
  return pairwise(arms, { matches, over }, (value, base) => value / base);
}

/** How much more it is than beneath, round by round; of results that keep no rounds, that of the medians. */
function difference(
  { arms }: Found,
  matches: (name: string) => boolean,
  over: string,
): { readonly value: number; readonly n: number } | undefined {
  const above = arms.find(({ arm }) => matches(arm));
  const below = arms.find(({ arm }) => arm.includes(over));
  if (above?.values.length === 0 && below?.values.length === 0)
    return { value: above.summary.median - below.summary.median, n: above.summary.n };
  return pairwise(arms, { matches, over }, (value, base) => value - base);
}

function pairwise(
  arms: Found["arms"],
  { matches, over }: { readonly matches: (name: string) => boolean; readonly over: string },
  of: (value: number, base: number) => number,
): { readonly value: number; readonly n: number } | undefined {
  const above = arms.find(({ arm }) => matches(arm))?.values ?? [];
  const below = arms.find(({ arm }) => arm.includes(over))?.values ?? [];
  if (above.length === 0 || above.length !== below.length) return undefined;
  const pairs = above.map((value, n) => of(value, below[n] ?? Number.NaN));
  return { value: median(pairs), n: pairs.length };
}

function keeps({ bound, value }: Promised, figure: number): boolean {
  return bound === "at most" ? figure <= value : figure >= value;
}

/** The one command that measures a promise. */
export function howTo({ scenario, metric, arm }: Promised): string {
  const known = allScenarios.some(({ name }) => name === scenario);
  if (!known) return `node ${ownBench(scenario)}`;
  const count = /:(\d+)$/.exec(metric)?.[1];
  const words = count === undefined ? [scenario] : [scenario, "--count", count];
  return `dvm bench ${words.join(" ")}${arm.includes("kvm") ? ", where KVM runs Linux" : ""}`;
}

/** The bench whose name its results' names begin with, such as `images` for `images-umoci`. */
function ownBench(result: string): string {
  const words = result.split("-");
  const names = words.map((_, n) => `bench/${words.slice(0, words.length - n).join("-")}.ts`);
  return names.find((name) => existsSync(join(PROJECT, name))) ?? `bench, of ${result}`;
}
