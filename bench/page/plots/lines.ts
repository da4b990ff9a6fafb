/** Lines: a measure over a number, one line for each arm, one point for each that was measured. */

import { formatValue } from "../format.ts";
import { numberAxis, valueAxis } from "./axis.ts";
import { makeScale } from "./scale.ts";
import { element, label, plot } from "./svg.ts";

export interface Line {
  readonly name: string;
  readonly class: string;
  /** in the order of `x`; `low` and `high` are the ends of what was measured */
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly low: number;
    readonly high: number;
  }[];
}

export interface LinesOptions {
  readonly lines: readonly Line[];
  /** what the values are, along the bottom */
  readonly x: { readonly title: string };
  /** what is measured */
  readonly y: { readonly title: string; readonly unit: string };
}

const WIDTH = 880;
const LEFT = 80;
const RIGHT = 600;
const TOP = 34;
const BOTTOM = 330;
/** Least distance of two labels, in pixels. */
const LABEL = 17;

export function linePlot({ lines, x, y }: LinesOptions): string {
  const points = lines.flatMap((line) => line.points);
  const across = makeScale({
    values: [0, ...points.map((point) => point.x)],
    from: LEFT,
    to: RIGHT,
    kind: "linear",
  });
  const values = points.flatMap(({ low, high }) => [low, high]);
  const up = makeScale({ values, from: BOTTOM, to: TOP });
  const ends = lines.map(({ points: own }) => up.at(own.at(-1)?.y ?? 0));
  const labels = spread(ends);
  return plot(
    {
      width: WIDTH,
      height: BOTTOM + 46,
      title: `${y.title} in ${y.unit}, over ${x.title}`,
      kind: "lines",
    },
    valueAxis({
      scale: across,
      top: TOP,
      bottom: BOTTOM,
      left: LEFT,
      right: RIGHT,
      title: "number",
      unit: x.title,
    }),
    numberAxis({ scale: up, left: LEFT, right: RIGHT, top: TOP, bottom: BOTTOM, ...y }),
    ...lines.map((line, index) => {
      const places = line.points.map((point) => ({
        ...point,
        px: across.at(point.x),
        py: up.at(point.y),
      }));
      const last = places.at(-1);
      return element(
        "g",
        { class: `row ${line.class}` },
        element("polyline", {
          class: "line",
          points: places.map(({ px, py }) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" "),
        }),
        ...places.flatMap(({ px, py, low, high }) => [
          element("line", { class: "range", x1: px, x2: px, y1: up.at(low), y2: up.at(high) }),
          element("circle", { class: "point", cx: px, cy: py, r: 4.5 }),
        ]),
        label(RIGHT + 14, (labels[index] ?? 0) + 4, `${line.name}, ${formatValue(last?.y ?? 0)}`, {
          class: `name ${line.class}`,
        }),
      );
    }),
  );
}

/** Moves places apart that are too near for their labels, from the lowest upwards. */
function spread(places: readonly number[]): readonly number[] {
  const order = places
    .map((place, index) => ({ place, index }))
    .toSorted((a, b) => b.place - a.place);
  const moved: number[] = [];
  let limit = Number.POSITIVE_INFINITY;
  for (const { place, index } of order) {
    limit = Math.min(place, limit - LABEL);
    moved[index] = limit;
  }
  return moved;
}
