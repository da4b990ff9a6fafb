/** A result as lines for a terminal. */

import type { BenchResult, MetricResult } from "../result/result.ts";
import { formatRatio, formatValue } from "./format.ts";
import { grouped, isEmpty, NO_ARM, warnings } from "./story.ts";

export function textTable(result: BenchResult): string {
  const { environment: e } = result;
  const lines = [
    `${e.cpu}, ${e.cpus} CPUs, Linux ${e.kernel}, ${e.qemu}, load ${e.load.toFixed(2)}`,
    ...warnings(result).map((warning) => `note: ${warning}`),
  ];
  for (const scenario of result.scenarios) {
    lines.push("", `${scenario.title} (${scenario.name}), ${scenario.rounds} rounds`);
    const { single, families } = grouped(scenario.metrics);
    for (const metric of single) lines.push(...metricLines(metric));
    for (const items of families.values()) lines.push(...familyLines(items));
    if (isEmpty(scenario)) lines.push(`  ${NO_ARM}`);
    for (const { arm, reason } of scenario.lacking)
      lines.push(`  ${arm}: not measured: ${inline(reason)}`);
  }
  const refused = result.arms.filter(({ refusal }) => refusal !== undefined);
  if (refused.length > 0) lines.push("");
  for (const { name, refusal } of refused)
    lines.push(`${name} did not run: ${inline(refusal ?? "")}`);
  return `${lines.join("\n")}\n`;
}

/** Room for an arm's name, in characters. */
const ARM = 25;

/** Longest reason, in characters. */
const MAX_REASON = 300;

function inline(reason: string): string {
  return reason
    .trim()
    .replaceAll(/\s*\n\s*/g, " / ")
    .slice(0, MAX_REASON);
}

/** Items of a family that a terminal shows for each arm, the largest; the page has more, the JSON all. */
const MAX_ITEMS = 12;

function familyLines(items: readonly MetricResult[]): readonly string[] {
  const first = items[0];
  // where a span ends is for the plot
  if (first?.family === undefined || first.family.name.endsWith("-end")) return [];
  const figures = items.flatMap(({ title, arms }) =>
    arms.map(({ arm, summary }) => ({ title, arm, median: summary.median })),
  );
  const lines = [...Map.groupBy(figures, ({ arm }) => arm)].map(([arm, own]) => {
    const numbers = own.every(({ title }) => /^\d+$/.test(title));
    const largest = numbers ? own : own.toSorted((a, b) => b.median - a.median);
    const shown = largest.slice(0, MAX_ITEMS);
    const more = largest.length > shown.length ? `, ${largest.length - shown.length} more` : "";
    const words = shown.map(({ title, median }) => `${title} ${formatValue(median)}`);
    return `    ${arm.padEnd(ARM)} ${words.join(", ")}${more}`;
  });
  return [`  ${first.family.title} [${first.unit}]`, ...lines];
}

function metricLines({ title, unit, arms, ratios }: MetricResult): readonly string[] {
  return [
    `  ${title} [${unit}]`,
    ...arms.map(({ arm, summary: { n, min, median, p95, p99 } }) => {
      const ratio = ratios.find((each) => each.arm === arm)?.interval;
      const over =
        ratio === undefined
          ? ""
          : `   ${formatRatio(ratio.median)} (${formatRatio(ratio.low)} to ${formatRatio(ratio.high)})`;
      const figures = [min, median, p95, p99].map((value) => formatValue(value).padStart(9));
      return `    ${arm.padEnd(ARM)} n ${n}  min ${figures[0]}  median ${figures[1]}  p95 ${figures[2]}  p99 ${figures[3]}${over}`;
    }),
  ];
}
