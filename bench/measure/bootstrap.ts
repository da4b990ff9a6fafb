/** Confidence intervals by the bootstrap: the data resampled, with no assumption about how machines are noisy. */

export interface Interval {
  /** median of the data themselves */
  readonly median: number;
  /** lower and upper end of the interval */
  readonly low: number;
  readonly high: number;
}

/** Resamplings: enough for the ends of a 95 % interval to stand still in three figures. */
const RESAMPLINGS = 2000;

/** Part of the resampled medians that lies in the interval. */
const CONFIDENCE = 0.95;

/**
 * The percentile bootstrap of the median (B. Efron, "Bootstrap Methods", 1979). The same data give the same interval.
 *
 * @throws RangeError for no data
 */
export function bootstrapMedian(values: readonly number[]): Interval {
  if (values.length === 0) throw new RangeError("no measurements to resample");
  const random = generator(values.length);
  const medians = Float64Array.from({ length: RESAMPLINGS }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  ).sort();
  const at = (fraction: number): number =>
    medians[Math.round(fraction * (RESAMPLINGS - 1))] ?? Number.NaN;
  const tail = (1 - CONFIDENCE) / 2;
  return { median: median(values), low: at(tail), high: at(1 - tail) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (
    ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2
  );
}

/** Mulberry32: uniform in [0, 1), repeatable. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
