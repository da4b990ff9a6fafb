/** Bars: spans on one axis of values, such as phases of a start or the functions of a profile. */

import { formatValue } from "../format.ts";
import { nameAxis, valueAxis } from "./axis.ts";
import { frameEnd } from "./figure-room.ts";
import { makeScale } from "./scale.ts";
import { element, label, plot } from "./svg.ts";

export interface Bar {
  readonly name: string;
  readonly class: string;
  /** both ends, in the axis's unit */
  readonly from: number;
  readonly to: number;
}

export interface BarsOptions {
  readonly bars: readonly Bar[];
  /** what the values are */
  readonly title: string;
  readonly unit: string;
  /** what the names are */
  readonly names: string;
}

const WIDTH = 880;
const LEFT = 260;
const TOP = 30;
const ROW = 24;

export function barPlot({ bars, title, unit, names }: BarsOptions): string {
  const bottom = TOP + bars.length * ROW;
  const figure = ({ from, to }: Bar): string => `${formatValue(Math.abs(to - from))} ${unit}`;
  const right = frameEnd(WIDTH, bars.map(figure));
  const scale = makeScale({
    values: [0, ...bars.flatMap(({ from, to }) => [from, to])],
    from: LEFT + 16,
    to: right,
    kind: "linear",
  });
  const at = (index: number): number => TOP + (index + 0.5) * ROW;
  return plot(
    { width: WIDTH, height: bottom + 46, title: `${title} in ${unit}`, kind: "bars" },
    valueAxis({ scale, top: TOP, bottom, left: LEFT + 8, right, title, unit }),
    nameAxis({
      names: bars.map(({ name }, index) => ({ text: name, y: at(index) })),
      right: LEFT,
      top: TOP,
      bottom,
      title: names,
    }),
    ...bars.map((bar, index) => {
      const { from, to, class: of } = bar;
      const [x, end] = [scale.at(Math.min(from, to)), scale.at(Math.max(from, to))];
      return element(
        "g",
        { class: `row ${of}` },
        element("rect", {
          class: "bar",
          x,
          y: at(index) - 8,
          width: Math.max(1.5, end - x),
          height: 16,
          rx: 3,
        }),
        label(WIDTH - 8, at(index) + 4, figure(bar), {
          class: "figure",
          "text-anchor": "end",
        }),
      );
    }),
  );
}
