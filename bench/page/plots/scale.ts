/** From values to places on an axis. */

export interface Scale {
  readonly kind: "linear" | "logarithmic";
  /** place of a value, in pixels */
  readonly at: (value: number) => number;
  /** values that get a tick and a number */
  readonly ticks: readonly number[];
}

export interface ScaleOptions {
  /** what has to fit; positive where the scale may be logarithmic */
  readonly values: readonly number[];
  /** places of the two ends, in pixels */
  readonly from: number;
  readonly to: number;
  /** kind, where the values are not to choose it */
  readonly kind?: Scale["kind"];
}

/** From this ratio of largest to smallest on, a linear axis would hide the small ones. */
const LOGARITHMIC_FROM = 15;
const TICKS = 6;

export function makeScale(options: ScaleOptions): Scale {
  const values = options.values.filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const wide = low > 0 && high / low >= LOGARITHMIC_FROM;
  const kind = options.kind ?? (wide ? "logarithmic" : "linear");
  return kind === "logarithmic" && low > 0
    ? logarithmic({ low, high }, options)
    : linear({ low, high }, options);
}

interface Range {
  readonly low: number;
  readonly high: number;
}

/** From zero: the length of a mark is its value. */
function linear({ low, high }: Range, { from, to }: ScaleOptions): Scale {
  const bottom = Math.min(0, low);
  const step = niceStep((high - bottom || 1) / TICKS);
  const top = Math.ceil((high || 1) / step - 1e-9) * step;
  const ticks: number[] = [];
  for (let n = Math.ceil(bottom / step); n * step <= top * 1.0001; n++) ticks.push(n * step);
  const at = (value: number): number => from + ((value - bottom) / (top - bottom)) * (to - from);
  return { kind: "linear", at, ticks };
}

function logarithmic({ low, high }: Range, { from, to }: ScaleOptions): Scale {
  const bottom = niceBelow(low);
  const top = niceAbove(high);
  const span = Math.log(top / bottom) || 1;
  const at = (value: number): number => from + (Math.log(value / bottom) / span) * (to - from);
  const decades = Math.log10(top / bottom);
  const steps = decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(bottom)); power <= Math.ceil(Math.log10(top)); power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= bottom * 0.999 && tick <= top * 1.001) ticks.push(tick);
    }
  }
  return { kind: "logarithmic", at, ticks };
}

const STEPS = [1, 2, 5, 10];

/** The smallest of 1, 2, 5 times a power of ten that is not below. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least * 0.9999) ?? 10) * power;
}

function niceAbove(value: number): number {
  return niceStep(value);
}

function niceBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return (STEPS.findLast((step) => step * power <= value * 1.0001) ?? 1) * power;
}
