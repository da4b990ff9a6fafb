/** The top of a page: what dvm costs over each of the ways without a VM, at a glance. */

import type { ArmStyle } from "./arm-style.ts";
import { formatRatio } from "./format.ts";
import { forestPlot } from "./plots/forest.ts";
import { escapeMarkup as text } from "./plots/svg.ts";
import type { Cost } from "./story.ts";

/** Cards at the top; the plots below have all. */
const CARDS = 4;

/** The first cost of each scenario, large. */
export function headline(all: readonly Cost[], style: ArmStyle): string {
  const scenarios = [...Map.groupBy(all, ({ scenario }) => scenario.name).values()];
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

/** A plot for each base. */
export function overview(all: readonly Cost[], style: ArmStyle): string {
  const bases = Map.groupBy(all, ({ over }) => over);
  const cards = [...bases].map(([over, costs]) => {
    const many = new Set(costs.map(({ arm }) => arm)).size > 1;
    const rows = costs.map(({ scenario, metric, arm, cost }) => ({
      name: `${scenario.name}: ${metric.title}${many ? ` · ${style.titleOf(arm)}` : ""}`,
      class: style.classOf(arm),
      ...cost,
    }));
    const title = `cost over ${style.titleOf(over)}, median and 95 % interval`;
    return `<div class="card"><h3>dvm over <span class="${style.classOf(over)}">${text(style.titleOf(over))}</span></h3>${forestPlot(rows, title)}</div>`;
  });
  if (cards.length === 0) return "";
  return `<section id="overview"><h2>At a glance</h2><p class="soft">At 1 dvm costs nothing, to the right it costs more, to the left it is the better one. For a measure of which more is better, the ratio is turned round.</p>${cards.join("")}</section>`;
}
