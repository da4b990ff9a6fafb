/** Two results beside each other: what changed from the first to the second. */

import { differences } from "../environment.ts";
import { benchError } from "../errors.ts";
import { formatRatio, formatValue } from "../page/format.ts";
import type { BenchResult, MetricResult } from "./result.ts";

export interface CompareOptions {
  /** compares results of different machines too, and says so */
  readonly force: boolean;
}

/** @throws DvmError `NOT_COMPARABLE` for different machines, or when the two have no measure in common */
export function compareResults(a: BenchResult, b: BenchResult, { force }: CompareOptions): string {
  const different = differences(a.environment, b.environment);
  if (different.length > 0 && !force)
    throw benchError("NOT_COMPARABLE", `results of different machines: ${different.join("; ")}`);
  const rows = pairs(a, b).map(({ place, before, after, metric }) => {
    const ratio = after.summary.median / before.summary.median;
    const figures = `${formatValue(before.summary.median)} → ${formatValue(after.summary.median)} ${metric.unit}`;
    return `  ${place.padEnd(48)} ${figures.padEnd(32)} ${formatRatio(ratio).padEnd(8)} ${verdict(metric, before, after)}`;
  });
  if (rows.length === 0)
    throw benchError("NOT_COMPARABLE", "the results have no measure in common");
  const heads = [
    `first:  ${a.environment.date} ${a.environment.commit ?? ""} load ${a.environment.load.toFixed(2)}`,
    `second: ${b.environment.date} ${b.environment.commit ?? ""} load ${b.environment.load.toFixed(2)}`,
    ...different.map((difference) => `DIFFERENT MACHINES: ${difference}`),
  ];
  return `${[...heads, ...rows].join("\n")}\n`;
}

type ArmFigures = MetricResult["arms"][number];

interface Pair {
  readonly place: string;
  readonly metric: MetricResult;
  readonly before: ArmFigures;
  readonly after: ArmFigures;
}

function pairs(a: BenchResult, b: BenchResult): readonly Pair[] {
  return a.scenarios.flatMap((scenario) =>
    scenario.metrics.flatMap((metric) => {
      const other = b.scenarios
        .find(({ name }) => name === scenario.name)
        ?.metrics.find(({ name, unit }) => name === metric.name && unit === metric.unit);
      return metric.arms.flatMap((before) => {
        const after = other?.arms.find(({ arm }) => arm === before.arm);
        const place = `${scenario.name} ${metric.name} ${before.arm}`;
        return after === undefined ? [] : [{ place, metric, before, after }];
      });
    }),
  );
}

/** Two rows of measurements differ for sure only where they do not overlap. */
function verdict({ better }: MetricResult, before: ArmFigures, after: ArmFigures): string {
  const [x, y] = [before.summary, after.summary];
  if (x.max >= y.min && y.max >= x.min) return "within the spread";
  if (better === "neither") return "changed";
  return y.median < x.median === (better === "lower") ? "better" : "worse";
}
