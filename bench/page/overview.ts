/** The top of a page: what dvm costs over each of the ways without a VM, at a glance. */

import { splitVariant } from "../arms/machine-source.ts";
import type { ArmStyle } from "./arm-style.ts";
import { formatRatio } from "./format.ts";
import { type ForestRow, forestPlot } from "./plots/forest.ts";
import { escapeMarkup as text } from "./plots/svg.ts";
import type { Cost } from "./story.ts";

/** Cards at the top; the plots below have all. */
const CARDS = 4;
/** Scenarios that most come for, before all others. */
const FIRST = ["start", "exec", "memory", "cpu", "disk", "network"];

/** The first cost of the scenarios that matter most, large. */
export function headline(all: readonly Cost[], style: ArmStyle): string {
  const byScenario = Map.groupBy(all, ({ scenario }) => scenario.name);
  const order = new Set([...FIRST, ...byScenario.keys()]);
  const scenarios = [...order].flatMap((name) => {
    const costs = byScenario.get(name);
    return costs === undefined ? [] : [costs];
  });
  const cards = scenarios.slice(0, CARDS).map((costs) => {
    const [first] = costs;
    const same = costs.filter(({ metric, arm }) => metric === first?.metric && arm === first.arm);
    const [, ...others] = same.map(
      ({ cost, over }) => `${formatRatio(cost.median)} over ${style.titleOf(over)}`,
    );
    const figure = formatRatio(first?.cost.median ?? Number.NaN);
    const arms = `${style.titleOf(first?.arm ?? "")} over ${style.titleOf(first?.over ?? "")}`;
    const words = [`${first?.metric.title}: ${arms}`, ...others].join("; ");
    return `<div class="card"><b class="${style.classOf(first?.arm ?? "")}">${figure}</b><small>${text(words)}</small></div>`;
  });
  return cards.length === 0 ? "" : `<div class="headline">${cards.join("")}</div>`;
}

/** A plot for each of dvm's backends, in which each base has its colour. */
export function overview(all: readonly Cost[], style: ArmStyle): string {
  const backends = Map.groupBy(all, ({ arm }) => splitVariant(arm).arm);
  const cards = [...backends].map(([backend, costs]) => {
    const bases = [...new Set(costs.map(({ over }) => over))].map((name) => ({
      name,
      class: style.classOf(name),
    }));
    const title = `cost of ${style.titleOf(backend)}, median and 95 % interval`;
    const over = bases.map(
      (base) => `<span class="${base.class}">${text(style.titleOf(base.name))}</span>`,
    );
    const head = `<span class="${style.classOf(backend)}">${text(style.titleOf(backend))}</span> over ${over.join(", ")}`;
    return `<div class="card"><h3>${head}</h3>${forestPlot({ rows: rowsOf(costs, style), bases, title })}</div>`;
  });
  if (cards.length === 0) return "";
  return `<section id="overview"><h2>At a glance</h2><p class="soft">At 1 dvm costs nothing, to the right it costs more, to the left it is the better one. For a measure of which more is better, the ratio is turned round.</p>${cards.join("")}</section>`;
}

function rowsOf(costs: readonly Cost[], style: ArmStyle): readonly ForestRow[] {
  const key = ({ scenario, metric, arm }: Cost): string =>
    [scenario.name, metric.name, arm].join(" ");
  return [...Map.groupBy(costs, key).values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const { scenario, metric, arm } = first;
    const points = same.map(
      ({ over, cost }) => [over, { class: style.classOf(over), ...cost }] as const,
    );
    const name = `${metric.title}${splitVariant(arm).rest}`;
    return [{ group: scenario.name, name, points: new Map(points) }];
  });
}
