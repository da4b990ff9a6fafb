/** A forest plot: ratios over one or more bases with their confidence intervals, a row for each measure. */

import { formatRatio } from "../format.ts";
import { nameAxis, valueAxis } from "./axis.ts";
import { makeScale } from "./scale.ts";
import { element, label, plot } from "./svg.ts";

export interface ForestPoint {
  /** class of the base that the ratio is over */
  readonly class: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface ForestRow {
  /** what rows in a row have in common, written at the first of them */
  readonly group: string;
  readonly name: string;
  /** by the bases' names */
  readonly points: ReadonlyMap<string, ForestPoint>;
}

export interface ForestOptions {
  readonly rows: readonly ForestRow[];
  readonly bases: readonly { readonly name: string; readonly class: string }[];
  /** what the ratios are of */
  readonly title: string;
}

const WIDTH = 880;
const LEFT = 410;
const TOP = 44;
const ROW = 30;
/** Of a base's column of figures, at the right side. */
const COLUMN = 70;
/** Longest names that fit, in characters. */
const [GROUP, NAME] = [16, 46];

export function forestPlot({ rows, bases, title }: ForestOptions): string {
  const bottom = TOP + rows.length * ROW;
  const right = WIDTH - 16 - bases.length * COLUMN;
  const column = (index: number): number => WIDTH - 4 - (bases.length - 1 - index) * COLUMN;
  const scale = makeScale({
    values: [1, ...rows.flatMap(valuesOf)].filter((value) => value > 0),
    from: LEFT + 22,
    to: right - 8,
    kind: "logarithmic",
  });
  const one = scale.at(1);
  const at = (index: number): number => TOP + (index + 0.5) * ROW;
  const names = rows.map(({ name }, index) => ({ text: fitted(name, NAME), y: at(index) }));
  return plot(
    { width: WIDTH, height: bottom + 46, title, kind: "forest" },
    valueAxis({ scale, top: TOP, bottom, left: LEFT + 8, right, title, unit: "times" }),
    nameAxis({ names, right: LEFT, top: TOP, bottom, title: "measure" }),
    element("line", { class: "one", x1: one, x2: one, y1: TOP, y2: bottom }),
    ...bases.map((base, index) =>
      label(column(index), TOP - 10, base.name, { class: base.class, "text-anchor": "end" }),
    ),
    ...rows.flatMap(({ group }, index) =>
      group === rows[index - 1]?.group
        ? []
        : groupHead(group, { y: at(index), first: index === 0 }),
    ),
    ...rows.flatMap(({ points }, row) =>
      bases.flatMap(({ name }, index) => {
        const point = points.get(name);
        if (point === undefined) return [];
        // those of one row are drawn one below the other
        const y = at(row) + (index - (bases.length - 1) / 2) * 7;
        return element(
          "g",
          { class: `row ${point.class}` },
          element("line", {
            class: "interval",
            x1: scale.at(point.low),
            x2: scale.at(point.high),
            y1: y,
            y2: y,
          }),
          element("circle", { class: "point", cx: scale.at(point.median), cy: y, r: 4.5 }),
          label(column(index), at(row) + 4, formatRatio(point.median), {
            class: "figure",
            "text-anchor": "end",
          }),
        );
      }),
    ),
  );
}

function valuesOf({ points }: ForestRow): readonly number[] {
  return [...points.values()].flatMap(({ low, high }) => [low, high]);
}

function groupHead(
  group: string,
  { y, first }: { readonly y: number; readonly first: boolean },
): readonly string[] {
  const above = y - ROW / 2;
  return [
    ...(first ? [] : [element("line", { class: "grid", x1: 0, x2: WIDTH, y1: above, y2: above })]),
    label(0, y + 4, fitted(group, GROUP), { class: "group" }),
  ];
}

function fitted(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
