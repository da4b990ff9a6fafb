/** Axes: every plot has both, named, with their units. */

import { formatTick } from "../format.ts";
import type { Scale } from "./scale.ts";
import { element, label } from "./svg.ts";

export interface ValueAxisOptions {
  readonly scale: Scale;
  /** places of the plot's inner frame, in pixels */
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  /** what is measured */
  readonly title: string;
  readonly unit: string;
}

/** The axis of values, along the bottom, with lines up through the plot. */
export function valueAxis({
  scale,
  top,
  bottom,
  left,
  right,
  title,
  unit,
}: ValueAxisOptions): string {
  const kind = scale.kind === "logarithmic" ? ", logarithmic" : "";
  return element(
    "g",
    { class: "axis value-axis", "data-unit": unit },
    ...scale.ticks.flatMap((tick) => [
      element("line", {
        class: "grid",
        x1: scale.at(tick),
        x2: scale.at(tick),
        y1: top,
        y2: bottom,
      }),
      label(scale.at(tick), bottom + 16, formatTick(tick), {
        class: "tick",
        "text-anchor": "middle",
      }),
    ]),
    element("line", { class: "frame", x1: left, x2: right, y1: bottom, y2: bottom }),
    label(right, bottom + 36, `${title} [${unit}${kind}]`, {
      class: "axis-title",
      "text-anchor": "end",
    }),
  );
}

export interface NameAxisOptions {
  readonly names: readonly { readonly text: string; readonly y: number; readonly class?: string }[];
  /** right end of the names, in pixels */
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** what the names are */
  readonly title: string;
}

/** The axis of names, along the left side. */
export function nameAxis({ names, right, top, bottom, title }: NameAxisOptions): string {
  return element(
    "g",
    { class: "axis name-axis", "data-unit": title },
    label(right, top - 8, title, { class: "axis-title", "text-anchor": "end" }),
    element("line", { class: "frame", x1: right + 8, x2: right + 8, y1: top, y2: bottom }),
    ...names.map(({ text, y, class: extra = "" }) =>
      label(right, y + 4, text, { class: `name ${extra}`, "text-anchor": "end" }),
    ),
  );
}

export interface NumberAxisOptions {
  readonly scale: Scale;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly title: string;
  readonly unit: string;
}

/** An axis of values along the left side, with lines across the plot. */
export function numberAxis(options: NumberAxisOptions): string {
  const { scale, left, right, top, bottom, title, unit } = options;
  const kind = scale.kind === "logarithmic" ? ", logarithmic" : "";
  return element(
    "g",
    { class: "axis number-axis", "data-unit": unit },
    ...scale.ticks.flatMap((tick) => [
      element("line", {
        class: "grid",
        x1: left,
        x2: right,
        y1: scale.at(tick),
        y2: scale.at(tick),
      }),
      label(left - 8, scale.at(tick) + 4, formatTick(tick), {
        class: "tick",
        "text-anchor": "end",
      }),
    ]),
    element("line", { class: "frame", x1: left, x2: left, y1: top, y2: bottom }),
    label(0, top - 16, `${title} [${unit}${kind}]`, { class: "axis-title" }),
  );
}
