/** A strip plot: each arm a row, each measurement a dot, the median a bar, the middle 95 % a line. */

import type { MetricResult } from "../../result/result.ts";
import type { ArmStyle } from "../arm-style.ts";
import { formatValue } from "../format.ts";
import { nameAxis, valueAxis } from "./axis.ts";
import { frameEnd } from "./figure-room.ts";
import { makeScale } from "./scale.ts";
import { element, label, plot } from "./svg.ts";

const WIDTH = 880;
const LEFT = 210;
const TOP = 30;
const ROW = 36;
/** How far dots are off their row's middle, so that equal ones are seen apart, in pixels. */
const SPREAD = 9;

export function stripPlot(metric: MetricResult, style: ArmStyle): string {
  const bottom = TOP + metric.arms.length * ROW;
  const figure = (median: number): string => `${formatValue(median)} ${metric.unit}`;
  const right = frameEnd(
    WIDTH,
    metric.arms.map(({ summary }) => figure(summary.median)),
  );
  const scale = makeScale({
    values: metric.arms.flatMap(({ values, summary }) => [...values, summary.min, summary.max]),
    from: LEFT + 16,
    to: right,
  });
  const rows = metric.arms.map(({ arm, values, summary }, index) => {
    const y = TOP + (index + 0.5) * ROW;
    const { median, p95, min } = summary;
    return element(
      "g",
      { class: `row ${style.classOf(arm)}` },
      element("line", { class: "range", x1: scale.at(min), x2: scale.at(p95), y1: y, y2: y }),
      ...values.map((value, n) =>
        element("circle", { class: "dot", cx: scale.at(value), cy: y + offset(n), r: 3.2 }),
      ),
      element("rect", {
        class: "median",
        x: scale.at(median) - 2,
        y: y - 12,
        width: 4,
        height: 24,
        rx: 2,
      }),
      label(WIDTH - 8, y + 4, figure(median), {
        class: "figure",
        "text-anchor": "end",
      }),
    );
  });
  const names = metric.arms.map(({ arm }, index) => ({
    text: style.titleOf(arm),
    y: TOP + (index + 0.5) * ROW,
    class: style.classOf(arm),
  }));
  const { title, unit } = metric;
  return plot(
    { width: WIDTH, height: bottom + 46, title: `${title} in ${unit}, by arm`, kind: "strip" },
    valueAxis({ scale, top: TOP, bottom, left: LEFT + 8, right, title, unit }),
    nameAxis({ names, right: LEFT, top: TOP, bottom, title: "arm" }),
    ...rows,
  );
}

/** The same for the same round in every plot: a golden-ratio sequence, which never bunches. */
function offset(n: number): number {
  return (((n * 0.618034) % 1) - 0.5) * 2 * SPREAD;
}
