/** A result as one self-contained HTML page: nothing is loaded from elsewhere, and it has no scripts. */

import type { BenchResult, MetricResult, ScenarioResult } from "../result/result.ts";
import { type ArmStyle, armStyle } from "./arm-style.ts";
import { formatRatio, formatValue } from "./format.ts";
import { headline, overview } from "./overview.ts";
import { barPlot } from "./plots/bars.ts";
import { linePlot } from "./plots/lines.ts";
import { stripPlot } from "./plots/strip.ts";
import { escapeMarkup as text } from "./plots/svg.ts";
import { costs, grouped, isEmpty, METHOD, manifest, NO_ARM, roundsOf, warnings } from "./story.ts";
import { STYLE } from "./style.ts";

/** Families show this many of their items at most, the largest first; the others stand in the JSON. */
const MAX_ITEMS = 25;

export function htmlPage(result: BenchResult): string {
  const style = armStyle(result.arms);
  const all = costs(result);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>dvm bench, ${text(result.environment.date.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>What does a VM cost?</h1>
<p class="lead">The same image and command in plain namespaces, under container engines, and under dvm, which gives each container a virtual machine of its own. Measured on ${text(result.environment.cpu)}, ${result.environment.cpus} CPUs, Linux ${text(result.environment.kernel)}, ${text(result.environment.date.slice(0, 16).replace("T", " "))} UTC.</p>
${notice(warnings(result))}
${headline(all, style)}
<nav>${result.scenarios.map(({ name, title }) => `<a href="#${text(name)}">${text(title)}</a>`).join("")}<a href="#arms">What ran where</a><a href="#method">How it was measured</a><a href="#machine">The machine</a></nav>
</header>
${overview(all, style)}
${result.scenarios.map((scenario) => scenarioSection(scenario, style)).join("\n")}
${armsSection(result, style)}
<section id="method"><h2>How it was measured</h2><div class="card"><ul>${METHOD.map((sentence) => `<li>${text(sentence)}</li>`).join("")}</ul></div></section>
<section id="machine"><h2>The machine</h2><div class="card wide">${table(
    ["", ""],
    manifest(result).map(([name, value]) => [text(name), `<code>${text(value)}</code>`]),
  )}</div></section>
<footer>Made by dvm bench, result version ${result.version}. Each figure here stands in the JSON beside this page.</footer>
</main>
</body>
</html>
`;
}

function notice(said: readonly string[]): string {
  if (said.length === 0) return "";
  return `<div class="notice">${said.map((warning) => `<p>${text(warning)}</p>`).join("")}</div>`;
}

/** Text in which backquotes mark what is typed. */
function prose(words: string): string {
  return text(words).replaceAll(/`([^`]*)`/g, "<code>$1</code>");
}

function scenarioSection(scenario: ScenarioResult, style: ArmStyle): string {
  const { single, families } = grouped(scenario.metrics);
  const plots = [
    ...single.map((metric) => metricCard(metric, style)),
    ...familyCards(families, style),
  ];
  const rounds = `${roundsOf(scenario)}${scenario.image === "" ? "" : `; image ${scenario.image}`}`;
  return `<section id="${text(scenario.name)}"><h2>${text(scenario.title)}</h2><p class="soft">${text(scenario.question)} ${text(rounds)}.</p>
${isEmpty(scenario) ? `<p>${NO_ARM}</p>` : plots.join("\n")}
${lacking(scenario, style)}</section>`;
}

function metricCard(metric: MetricResult, style: ArmStyle): string {
  if (metric.arms.length === 0) return "";
  const way = { lower: "less is better", higher: "more is better", neither: "a count" }[
    metric.better
  ];
  return `<div class="card"><h3>${text(metric.title)}</h3><p class="how">${prose(metric.how)}; ${way}.</p>${stripPlot(metric, style)}${figures(metric, style)}</div>`;
}

function figures(metric: MetricResult, style: ArmStyle): string {
  const rows = metric.arms.map(({ arm, summary }) => {
    const ratio = metric.ratios.find((each) => each.arm === arm);
    const over =
      ratio === undefined
        ? ""
        : `${formatRatio(ratio.interval.median)} (${formatRatio(ratio.interval.low)} to ${formatRatio(ratio.interval.high)})`;
    const { n, min, median, p95, p99 } = summary;
    return [text(style.titleOf(arm)), `${n}`, ...[min, median, p95, p99].map(formatValue), over];
  });
  const base = metric.ratios[0]?.over;
  const last = base === undefined ? "" : `over ${text(style.titleOf(base))}`;
  const head = ["arm", "n", "min", "median", "p95", "p99", last];
  return `<details><summary>figures in ${text(metric.unit)}</summary><div class="wide">${table(head, rows, 1)}</div></details>`;
}

/** A family's items as bars, for each arm; with the ends of its spans where another family has them. */
function familyCards(
  families: ReadonlyMap<string, readonly MetricResult[]>,
  style: ArmStyle,
): readonly string[] {
  return [...families].flatMap(([name, items]) => {
    if (name.endsWith("-end")) return [];
    if (items.every(({ family }) => /^\d+$/.test(family?.item ?? "")))
      return [lineCard(items, style)];
    const arms = new Set(items.flatMap((item) => item.arms.map(({ arm }) => arm)));
    return [...arms].map((arm) =>
      familyCard({ arm, items, ends: families.get(`${name}-end`) }, style),
    );
  });
}

/** A family whose items are numbers, such as those of containers. */
function lineCard(items: readonly MetricResult[], style: ArmStyle): string {
  const first = items[0];
  const arms = [...new Set(items.flatMap((item) => item.arms.map(({ arm }) => arm)))];
  const lines = arms.map((arm) => ({
    name: style.titleOf(arm),
    class: style.classOf(arm),
    points: items
      .flatMap((item) => {
        const summary = item.arms.find((each) => each.arm === arm)?.summary;
        if (summary === undefined) return [];
        const { median: y, min: low, max: high } = summary;
        return [{ x: Number(item.family?.item), y, low, high }];
      })
      .toSorted((a, b) => a.x - b.x),
  }));
  const { title = "", items: names = "" } = first?.family ?? {};
  const y = { title, unit: first?.unit ?? "" };
  return `<div class="card"><h3>${text(title)}</h3><p class="how">${prose(first?.how ?? "")}; medians, and from the least to the most.</p>${linePlot({ lines, x: { title: names }, y })}</div>`;
}

interface FamilyCard {
  readonly arm: string;
  readonly items: readonly MetricResult[];
  readonly ends: readonly MetricResult[] | undefined;
}

function familyCard({ arm, items, ends }: FamilyCard, style: ArmStyle): string {
  const first = items[0];
  const medianOf = (metric: MetricResult | undefined): number | undefined =>
    metric?.arms.find((each) => each.arm === arm)?.summary.median;
  const bars = items.flatMap((metric) => {
    const size = medianOf(metric);
    const item = metric.family?.item ?? metric.title;
    if (size === undefined) return [];
    const end = medianOf(ends?.find(({ family }) => family?.item === item)) ?? size;
    return [{ name: item, class: style.classOf(arm), from: Math.max(0, end - size), to: end }];
  });
  const sorted =
    ends === undefined
      ? bars.toSorted((a, b) => b.to - b.from - (a.to - a.from))
      : bars.toSorted((a, b) => a.from - b.from);
  const shown = sorted.slice(0, MAX_ITEMS);
  const more =
    sorted.length > shown.length ? ` The ${shown.length} largest of ${sorted.length}.` : "";
  const { title = "", items: names = "" } = first?.family ?? {};
  return `<div class="card"><h3>${text(title)}: <span class="${style.classOf(arm)}">${text(style.titleOf(arm))}</span></h3><p class="how">${prose(first?.how ?? "")}; medians.${more}</p>${barPlot({ bars: shown, title, unit: first?.unit ?? "", names })}</div>`;
}

function lacking(scenario: ScenarioResult, style: ArmStyle): string {
  if (scenario.lacking.length === 0) return "";
  const rows = scenario.lacking.map(({ arm, reason }) => [
    text(style.titleOf(arm)),
    `<code>${text(reason.slice(0, 400))}</code>`,
  ]);
  return `<div class="card wide">${table(["not measured", "why"], rows)}</div>`;
}

function armsSection({ arms }: BenchResult, style: ArmStyle): string {
  const rows = arms.map(({ name, how, refusal, control }) => [
    `<span class="${style.classOf(name)}">${text(style.titleOf(name))}</span>`,
    text(how),
    control === undefined
      ? `did not run: ${text(refusal ?? "")}`
      : `Linux <code>${text(control.kernel)}</code>, boot <code>${text(control.bootId.slice(0, 8))}</code>, <code>${text(control.pidNamespace)}</code>, cgroup <code>${text(control.cgroup)}</code>`,
  ]);
  return `<section id="arms"><h2>What ran where</h2><p class="soft">What a container of each arm saw of itself. The same boot id is the same running kernel.</p><div class="card wide">${table(["arm", "how", "seen from inside"], rows)}</div></section>`;
}

/** @param numbersFrom the first column that holds numbers */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbersFrom = Number.POSITIVE_INFINITY,
): string {
  const cell = (tag: string) => (content: string, column: number) =>
    `<${tag}${column >= numbersFrom ? ' class="number"' : ""}>${content}</${tag}>`;
  const top = head.some((each) => each !== "") ? `<tr>${head.map(cell("th")).join("")}</tr>` : "";
  return `<table>${top}${rows.map((row) => `<tr>${row.map(cell("td")).join("")}</tr>`).join("")}</table>`;
}
