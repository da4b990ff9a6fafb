/** What a page says of a result, before it is HTML or Markdown. */

import { splitVariant } from "../arms/machine-source.ts";
import type { Interval } from "../measure/bootstrap.ts";
import type { BenchResult, MetricResult, ScenarioResult } from "../result/result.ts";

/** What a thing costs over the base, whichever way its unit runs: above 1 it costs more. */
export interface Cost {
  readonly scenario: ScenarioResult;
  readonly metric: MetricResult;
  readonly arm: string;
  readonly over: string;
  readonly cost: Interval;
}

/** What dvm is weighed against: the bare namespaces, and the engines that people use. A runtime by hand is neither. */
const BASES = ["unshare", "podman", "docker"];

/** Costs of dvm's arms over each base. */
export function costs({ arms, scenarios }: BenchResult): readonly Cost[] {
  const machines = new Set(
    arms.filter(({ isolation }) => isolation === "vm").map(({ name }) => name),
  );
  return scenarios.flatMap((scenario) =>
    scenario.metrics
      .filter(({ family, better }) => family === undefined && better !== "neither")
      .flatMap((metric) =>
        metric.ratios
          .filter(({ arm, over }) => machines.has(splitVariant(arm).arm) && BASES.includes(over))
          .map(({ arm, over, interval }) => ({
            scenario,
            metric,
            arm,
            over,
            cost: metric.better === "lower" ? interval : inverted(interval),
          })),
      ),
  );
}

function inverted({ median, low, high }: Interval): Interval {
  return { median: 1 / median, low: 1 / high, high: 1 / low };
}

/** Metrics that stand alone, and families of them with their items. */
export function grouped(metrics: readonly MetricResult[]): {
  readonly single: readonly MetricResult[];
  readonly families: ReadonlyMap<string, readonly MetricResult[]>;
} {
  const families = Map.groupBy(
    metrics.filter(({ family }) => family !== undefined),
    ({ family }) => family?.name ?? "",
  );
  return { single: metrics.filter(({ family }) => family === undefined), families };
}

/** How often each arm was measured. */
export function roundsOf({ rounds }: ScenarioResult): string {
  return rounds === 1 ? "One round for each arm" : `${rounds} rounds for each arm`;
}

/** What stands in place of a scenario's figures when no arm was there for it. */
export const NO_ARM =
  "Not measured: none of the arms that it is for ran; why stands under what ran where.";

export function isEmpty({ metrics, lacking }: ScenarioResult): boolean {
  return metrics.length === 0 && lacking.length === 0;
}

/** What has to be known before a figure of this result is read. */
export function warnings({ arms, environment }: BenchResult): readonly string[] {
  const ran = (name: string): boolean =>
    arms.some((arm) => arm.name === name && arm.refusal === undefined);
  const said: string[] = [];
  if (ran("dvm-qemu-tcg")) {
    said.push(
      `dvm-qemu-tcg is emulation: QEMU translates each of the guest's instructions in software (TCG)${
        environment.kvmVerdict === undefined
          ? ""
          : `, since here there is ${environment.kvmVerdict}`
      }. Its figures say nothing about a machine whose KVM runs Linux.`,
    );
  }
  if (environment.hypervisor !== undefined) {
    said.push(
      `This machine is itself a virtual one (${environment.hypervisor}): its neighbours are in the spread.`,
    );
  }
  if (environment.load > environment.cpus / 2) {
    said.push(
      `The load was ${environment.load.toFixed(2)} on ${environment.cpus} CPUs when the bench began: the machine had other work.`,
    );
  }
  return said;
}

/** How all figures are taken; each metric adds its own sentence. */
export const METHOD: readonly string[] = [
  "Arms take turns, forwards and backwards, A B C, C B A, after a warm-up round that is not counted: a drift of the machine meets all alike, and none always follows the same other.",
  "Figures are medians; the spread is shown as each single measurement, the minimum, the 95th and the 99th percentile. Nothing is extrapolated, and no best run is picked.",
  "A ratio is taken round by round over the first arm; the figure is the median of the ratios, with a 95 % interval by the bootstrap. With few rounds such an interval is wide, or too narrow where all rounds happen to agree.",
  "Percentiles lie between the two nearest measurements: with fewer than 20 rounds the 95th, with fewer than 100 the 99th lies between the two largest ones.",
  "Before the scenarios each arm runs a container that tells its kernel release, boot id, control group and PID namespace. An arm that did not run where it says is left out.",
];

/** The manifest as rows. */
export function manifest({
  environment: e,
  seconds,
}: BenchResult): readonly (readonly [string, string])[] {
  const rows: (readonly [string, string | undefined])[] = [
    ["taken", e.date],
    ["CPU", `${e.cpu}, ${e.cpus} CPUs`],
    ["memory", `${(e.memory / 2 ** 30).toFixed(1)} GiB`],
    ["kernel", e.kernel],
    ["KVM", e.kvmVerdict ?? (e.kvm.join(", ") || "no module")],
    ["hypervisor beneath", e.hypervisor],
    ["frequency governor", e.governor],
    ["load at the start", e.load.toFixed(2)],
    ["file system of the bench", e.fileSystem],
    ["dvm's commit", e.commit],
    ["Node", e.node],
    ["QEMU", e.qemu],
    ["length of one run of a tool", `${seconds} s`],
    ...Object.entries(e.versions ?? {}).sort(),
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}
