/** Phases of a start, out of what `dvm run --verbose` says. */

import type { Measures, Metric } from "./scenario.ts";

export interface Phase {
  readonly name: string;
  /** when it was over, since dvm's own clock began, in `milliseconds` */
  readonly end: number;
  /** in `milliseconds` */
  readonly duration: number;
}

/** Lines such as `dvm: [   127 ms] vm-spawn              7.7 ms`. */
export function readPhases(stderr: string): readonly Phase[] {
  const lines = stderr.matchAll(/^dvm: \[ *(\d+) ms\] ([a-z-]+) +(\d+(?:\.\d+)?) ms$/gm);
  return [...lines].map(([, end, name = "", duration]) => ({
    name,
    end: Number(end),
    duration: Number(duration),
  }));
}

/** The metrics that `phaseMeasures` gives. A family `X-end` gives the spans of the family `X` their place. */
export const phaseMetrics: readonly Metric[] = [
  {
    name: "phase",
    title: "phases of the start",
    unit: "ms",
    better: "lower",
    how: "length of each phase as dvm run --verbose tells it; phases that do not wait for each other overlap",
    items: "phase",
  },
  {
    name: "phase-end",
    title: "ends of the phases",
    unit: "ms",
    better: "lower",
    how: "when each phase was over, since dvm's own clock began",
    items: "phase",
  },
];

/** As measures of a round. */
export function phaseMeasures(stderr: string): Measures {
  return Object.fromEntries(
    readPhases(stderr).flatMap(({ name, end, duration }) => [
      [`phase:${name}`, duration],
      [`phase-end:${name}`, end],
    ]),
  );
}
