/** A forest plot: ratios over the base with their confidence intervals, one row for each, all on one axis. */

import { formatRatio } from "../format.ts";
import { nameAxis, valueAxis } from "./axis.ts";
import { makeScale } from "./scale.ts";
import { element, label, plot } from "./svg.ts";

export interface ForestRow {
  readonly name: string;
  readonly class: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const WIDTH = 880;
const LEFT = 400;
const RIGHT = 790;
const TOP = 30;
const ROW = 28;
/** Longest name that fits, in characters. */
const NAME = 56;

/** @param title what the ratios are of, such as `dvm over plain namespaces` */
export function forestPlot(rows: readonly ForestRow[], title: string): string {
  const bottom = TOP + rows.length * ROW;
  const scale = makeScale({
    values: [1, ...rows.flatMap(({ low, high }) => [low, high])].filter((value) => value > 0),
    from: LEFT + 16,
    to: RIGHT,
    kind: "logarithmic",
  });
  const one = scale.at(1);
  const at = (index: number): number => TOP + (index + 0.5) * ROW;
  return plot(
    { width: WIDTH, height: bottom + 46, title, kind: "forest" },
    valueAxis({ scale, top: TOP, bottom, left: LEFT + 8, right: RIGHT, title, unit: "times" }),
    nameAxis({
      names: rows.map(({ name, class: of }, index) => ({
        text: fitted(name),
        y: at(index),
        class: of,
      })),
      right: LEFT,
      top: TOP,
      bottom,
      title: "measure",
    }),
    element("line", { class: "one", x1: one, x2: one, y1: TOP, y2: bottom }),
    ...rows.map((row, index) => {
      const [x1, x2, y] = [scale.at(row.low), scale.at(row.high), at(index)];
      return element(
        "g",
        { class: `row ${row.class}` },
        element("line", { class: "interval", x1, x2, y1: y, y2: y }),
        element("circle", { class: "point", cx: scale.at(row.median), cy: y, r: 5 }),
        label(WIDTH - 8, y + 4, formatRatio(row.median), { class: "figure", "text-anchor": "end" }),
      );
    }),
  );
}

function fitted(name: string): string {
  return name.length <= NAME ? name : `${name.slice(0, NAME - 1)}…`;
}
