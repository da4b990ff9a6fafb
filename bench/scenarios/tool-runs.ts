/** Scenarios that run the field's own tools in a container and read what these print. */

import type { ContainerOptions } from "../arms/arm.ts";
import { benchError } from "../errors.ts";
import { spawned } from "../measure/spawned.ts";
import {
  type Measures,
  type Metric,
  plainSession,
  type Scenario,
  type Session,
  type Stage,
} from "./scenario.ts";

/** One tool's run, which gives one metric. */
export interface ToolRun {
  readonly metric: Metric;
  /** line of shell; `$SECONDS_EACH` is how long it is to run */
  readonly line: string;
  /** @returns the figure, NaN for output that has none */
  readonly read: (output: string) => number;
}

export interface ToolRunsOptions
  extends Pick<ContainerOptions, "network" | "cpus" | "memoryMiB" | "durable"> {
  /** shell that comes before the runs */
  readonly before?: string;
}

/** What a scenario that is a list of runs says for itself. */
type ToolScenario = Pick<Scenario, "name" | "title" | "question" | "tools">;

/** A usual scenario for all arms whose metrics are those of its runs, in this order. */
export function toolScenario(
  head: ToolScenario,
  runs: readonly ToolRun[],
  open: Scenario["open"] = (stage) => toolSession(stage, runs),
): Scenario {
  const metrics = runs.map(({ metric }) => metric);
  return { ...head, rounds: 3, usual: true, arms: "all", metrics, open };
}

const MARK = "@@run ";

/** A session whose every round is one container that does all runs, one after the other. */
export async function toolSession(
  stage: Stage,
  runs: readonly ToolRun[],
  { before = "true", ...options }: ToolRunsOptions = {},
): Promise<Session> {
  const arm = await stage.container(stage.settings.image ?? "bench");
  const script = toolScript(runs, before, stage.settings.seconds);
  return plainSession(async () => {
    const line = await arm.run({ name: stage.newName(), words: ["sh", "-c", script], ...options });
    return readRuns(runs, (await spawned(line)).stdout);
  });
}

function toolScript(runs: readonly ToolRun[], before: string, seconds: number): string {
  const lines = runs.map(({ metric, line }) => `echo "${MARK}${metric.name}"\n(${line}) 2>&1`);
  return [`SECONDS_EACH=${seconds}`, before, ...lines, "true"].join("\n");
}

/** @throws DvmError `NO_FIGURE` with what the tool said instead */
export function readRuns(runs: readonly ToolRun[], output: string): Measures {
  const sections = new Map(
    output
      .split(MARK)
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end), section.slice(end + 1)] as const;
      }),
  );
  return Object.fromEntries(
    runs.map(({ metric: { name }, read }) => {
      const section = sections.get(name) ?? "";
      const figure = read(section);
      if (!Number.isFinite(figure))
        throw benchError("NO_FIGURE", `${name}: no figure in: ${section.trim().slice(-400)}`);
      return [name, figure];
    }),
  );
}

/** The number that a pattern's first group catches. */
export function caught(pattern: RegExp): (output: string) => number {
  return (output) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
}

/**
 * Bogo operations a second of real time, out of stress-ng's line of metrics (stress-ng 0.15): the stressor, its
 * operations, seconds of real time, of user and of system time, operations a second of the first and of the others.
 */
export function stressFigure(stressor: string): (output: string) => number {
  const number = "([0-9.]+) +";
  return caught(new RegExp(`\\] ${stressor} +(?:${number.replace("(", "(?:")}){4}([0-9.]+) `));
}
