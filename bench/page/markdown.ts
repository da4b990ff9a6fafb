/** A result as Markdown: the same words and figures as the page, without its plots. */

import type { BenchResult, MetricResult, ScenarioResult } from "../result/result.ts";
import { type ArmStyle, armStyle } from "./arm-style.ts";
import { formatRatio, formatValue } from "./format.ts";
import { grouped, METHOD, manifest, roundsOf, warnings } from "./story.ts";

export function markdownPage(result: BenchResult): string {
  const style = armStyle(result.arms);
  return `${[
    "# What does a VM cost?",
    ...warnings(result).map((warning) => `> ${cell(warning)}`),
    ...result.scenarios.flatMap((scenario) => scenarioPart(scenario, style)),
    "## What ran where",
    table(
      ["arm", "how", "seen from inside"],
      result.arms.map(({ name, how, refusal, control }) => [
        style.titleOf(name),
        how,
        control === undefined
          ? `did not run: ${refusal}`
          : `Linux ${control.kernel}, boot ${control.bootId}, ${control.pidNamespace}, cgroup ${control.cgroup}`,
      ]),
    ),
    "## How it was measured",
    METHOD.map((sentence) => `- ${sentence}`).join("\n"),
    "## The machine",
    table(["what", "value"], manifest(result)),
  ].join("\n\n")}\n`;
}

function scenarioPart(scenario: ScenarioResult, style: ArmStyle): readonly string[] {
  const { single, families } = grouped(scenario.metrics);
  const measured = single.filter(({ arms }) => arms.length > 0);
  return [
    `## ${cell(scenario.title)}`,
    `${cell(scenario.question)} ${roundsOf(scenario)}.`,
    ...measured.flatMap((metric) => metricPart(metric, style)),
    ...[...families.values()].flatMap((items) => familyPart(items, style)),
    ...(scenario.lacking.length === 0
      ? []
      : [
          table(
            ["not measured", "why"],
            scenario.lacking.map(({ arm, reason }) => [style.titleOf(arm), reason]),
          ),
        ]),
  ];
}

function metricPart(metric: MetricResult, style: ArmStyle): readonly string[] {
  const rows = metric.arms.map(({ arm, summary: { n, min, median, p95, p99 } }) => {
    const ratio = metric.ratios.find((each) => each.arm === arm)?.interval;
    const over =
      ratio === undefined
        ? ""
        : `${formatRatio(ratio.median)} (${formatRatio(ratio.low)} to ${formatRatio(ratio.high)})`;
    return [style.titleOf(arm), `${n}`, ...[min, median, p95, p99].map(formatValue), over];
  });
  const over = metric.ratios[0]?.over;
  const last = over === undefined ? "" : `over ${style.titleOf(over)}`;
  return [
    `### ${cell(metric.title)} [${cell(metric.unit)}]`,
    `${cell(metric.how)}.`,
    table(["arm", "n", "min", "median", "p95", "p99", last], rows),
  ];
}

function familyPart(items: readonly MetricResult[], style: ArmStyle): readonly string[] {
  const first = items[0];
  if (first?.family === undefined) return [];
  const rows = items.flatMap(({ family, arms }) =>
    arms.map(({ arm, summary }) => [
      family?.item ?? "",
      style.titleOf(arm),
      formatValue(summary.median),
    ]),
  );
  return [
    `### ${cell(first.family.title)} [${cell(first.unit)}]`,
    `${cell(first.how)}.`,
    table([first.family.items, "arm", "median"], rows),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What comes from a machine or a tool cannot break the table. */
function cell(text: string): string {
  return text
    .slice(0, 400)
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[\\|]/g, "\\$&")
    .replaceAll("<", "&lt;");
}
