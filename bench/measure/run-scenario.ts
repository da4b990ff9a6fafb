/**
 * One scenario, all arms in turn, forwards and backwards: A B C, C B A, A B C …, so that a drift of the machine meets all
 * alike and none always follows the same other. The first round is a warm-up and is not counted.
 */

import { setTimeout } from "node:timers/promises";
import { type Arm, Lacking } from "../arms/arm.ts";
import { type MachineSource, variantName } from "../arms/machine-source.ts";
import type { MetricResult, ScenarioResult } from "../result/result.ts";
import type { Measures, Metric, Scenario, Session, Stage } from "../scenarios/scenario.ts";
import { bootstrapMedian } from "./bootstrap.ts";
import { summarise } from "./summary.ts";

export interface RunScenarioOptions {
  readonly arms: readonly Arm[];
  /** counted rounds */
  readonly rounds: number;
  readonly image: string;
  /** before each turn, in `milliseconds`: what the arm before has left behind ends meanwhile */
  readonly rest: number;
  readonly stage: (arm: Arm, source: MachineSource | undefined) => Stage;
  readonly say: (text: string) => void;
  /** ends the scenario before its next round of an arm */
  readonly signal?: AbortSignal;
}

interface Runner {
  readonly arm: string;
  readonly session: Session;
  readonly rounds: Measures[];
}

/** An arm that fails in the middle keeps its reason and loses its figures; the others go on. */
export async function runScenario(
  scenario: Scenario,
  options: RunScenarioOptions,
): Promise<ScenarioResult> {
  const { rounds, say, image } = options;
  const lacking: { arm: string; reason: string }[] = [];
  const runners: Runner[] = [];
  const giveUp = async (arm: string, error: unknown): Promise<void> => {
    const reason = error instanceof Error ? error.message : String(error);
    lacking.push({ arm, reason });
    say(`${scenario.name}: ${arm}: ${error instanceof Lacking ? "" : "failed: "}${reason}`);
  };
  try {
    for (const { arm, source } of variants(options.arms, scenario)) {
      options.signal?.throwIfAborted();
      const name = variantName(arm.name, source);
      try {
        const session = await scenario.open(options.stage(arm, source));
        runners.push({ arm: name, session, rounds: [] });
      } catch (error) {
        await giveUp(name, error);
      }
    }
    let running: readonly Runner[] = runners;
    for (let round = scenario.warmUp === false ? 1 : 0; round <= rounds; round++) {
      for (const runner of round % 2 === 0 ? running : running.toReversed()) {
        options.signal?.throwIfAborted();
        await setTimeout(options.rest);
        try {
          const measures = await runner.session.once();
          if (round > 0) runner.rounds.push(measures);
        } catch (error) {
          running = running.filter((other) => other !== runner);
          runner.rounds.length = 0;
          await giveUp(runner.arm, error);
        }
      }
      say(`${scenario.name}: ${round === 0 ? "warmed up" : `round ${round} of ${rounds}`}`);
    }
  } finally {
    for (const { session } of runners) await session[Symbol.asyncDispose]();
  }
  const { name, title, question } = scenario;
  const metrics = metricsOf(scenario, runners).map((place) => metricResult(place, runners));
  return { name, title, question, image, rounds, metrics, lacking };
}

interface Variant {
  readonly arm: Arm;
  readonly source: MachineSource | undefined;
}

/** Each arm, one with machines once for each source of theirs that the scenario tells apart. */
function variants(arms: readonly Arm[], { sources }: Scenario): readonly Variant[] {
  return arms.flatMap((arm): readonly Variant[] =>
    sources === undefined || arm.isolation !== "vm"
      ? [{ arm, source: undefined }]
      : sources.map((source) => ({ arm, source })),
  );
}

/** A metric, or one of a family's items. */
interface MetricPlace {
  readonly metric: Metric;
  readonly item?: string;
}

/** The scenario's own that some arm has, a family with each of its items. */
function metricsOf({ metrics }: Scenario, runners: readonly Runner[]): readonly MetricPlace[] {
  const seen = new Set(
    runners.flatMap(({ rounds }) => rounds.flatMap((each) => Object.keys(each))),
  );
  return metrics.flatMap((metric) => {
    if (metric.items === undefined) return seen.has(metric.name) ? [{ metric }] : [];
    const start = `${metric.name}:`;
    return [...seen]
      .filter((name) => name.startsWith(start))
      .map((name) => ({ metric, item: name.slice(start.length) }));
  });
}

/** Figures of one metric; an arm counts if it has the metric in each of its rounds. */
export function metricResult(
  { metric, item }: MetricPlace,
  runners: readonly { readonly arm: string; readonly rounds: readonly Measures[] }[],
): MetricResult {
  const { unit, better, how } = metric;
  const name = item === undefined ? metric.name : `${metric.name}:${item}`;
  const title = item ?? metric.title;
  const family =
    item === undefined
      ? {}
      : { family: { name: metric.name, title: metric.title, items: metric.items ?? "", item } };
  const arms = runners.flatMap(({ arm, rounds }) => {
    const values = rounds.map((each) => each[name] ?? Number.NaN);
    const complete = values.length > 0 && values.every(Number.isFinite);
    return complete ? [{ arm, values, summary: summarise(values) }] : [];
  });
  // what can be nothing, or less, such as a difference, has no ratio
  const positive = arms.filter(({ values }) => values.every((value) => value > 0));
  const ratios = positive.flatMap(({ arm, values }, index) =>
    positive.slice(0, index).map((base) => {
      const pairs = values.map((value, round) => value / (base.values[round] ?? Number.NaN));
      return { arm, over: base.arm, n: pairs.length, interval: bootstrapMedian(pairs) };
    }),
  );
  return { name, title, unit, better, how, ...family, arms, ratios };
}
