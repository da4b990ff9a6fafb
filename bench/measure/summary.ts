/** What a row of measurements comes to: no mean, no best run, the median and the spread. */

export interface Summary {
  /** number of measurements */
  readonly n: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws RangeError when there is nothing to sum up */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError("no measurements to sum up");
  const sorted = values.toSorted((a, b) => a - b);
  return {
    n: sorted.length,
    min: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
  };
}

/** Linear between the two nearest ranks; `sorted` is not empty. */
function quantile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
