/** A result as it is kept: versioned JSON, checked when it is read, whoever wrote it. */

import {
  array,
  type Infer,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  string,
} from "../../guest-agent/protocol/schema.ts";

/** Version of the files. Version 1 held one comparison; `readResult` still takes it. */
export const RESULT_VERSION = 2;

const number: Schema<number> = {
  parse(value, path = "result") {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw new TypeError(`${path}: wanted a number, got ${JSON.stringify(value)?.slice(0, 80)}`);
  },
};

/** Where it was taken: facts by name, those that make two results differ. */
const environment = object({
  /** when the run began, ISO 8601 */
  date: string,
  cpu: string,
  cpus: number,
  /** main memory, in `bytes` */
  memory: number,
  kernel: string,
  /** modules that provide KVM */
  kvm: array(string),
  node: string,
  qemu: string,
  governor: string,
  /** load average over one minute when the run began */
  load: number,
  /** whether KVM runs Linux, in words; absent: not looked at */
  kvmVerdict: optional(string),
  /** hypervisor beneath this machine, as the CPU names it; absent: none, or not looked at */
  hypervisor: optional(string),
  /** file system of the bench's folder */
  fileSystem: optional(string),
  /** versions of the tools that took part, by name */
  versions: optional(record(string)),
  /** the project's own commit, with `+` when files differ from it */
  commit: optional(string),
});

const summary = object({
  n: number,
  min: number,
  median: number,
  p95: number,
  p99: number,
  max: number,
});

const interval = object({ median: number, low: number, high: number });

const armResult = object({
  name: string,
  title: string,
  isolation: oneOf("namespaces", "vm"),
  how: string,
  /** why it did not run; absent: it ran */
  refusal: optional(string),
  /** what proves that it ran where it says */
  control: optional(
    object({ kernel: string, bootId: string, cgroup: string, pidNamespace: string }),
  ),
});

const metricResult = object({
  name: string,
  title: string,
  unit: string,
  better: oneOf("lower", "higher", "neither"),
  how: string,
  /** for one of a family, such as the phases of a start */
  family: optional(
    object({
      name: string,
      title: string,
      /** what its items are, such as `phase` */
      items: string,
      item: string,
    }),
  ),
  arms: array(
    object({
      arm: string,
      /** in the order of the rounds; empty: the file kept the summary alone */
      values: array(number),
      summary,
    }),
  ),
  /** each arm over each before it, round by round: median of the ratios, with its 95 % interval */
  ratios: array(object({ arm: string, over: string, n: number, interval })),
});

const scenarioResult = object({
  name: string,
  title: string,
  question: string,
  image: string,
  rounds: number,
  metrics: array(metricResult),
  /** arms without figures, and why */
  lacking: array(object({ arm: string, reason: string })),
});

const result = object({
  version: number,
  environment,
  /** length of one run of a tool that runs for a time, in `seconds` */
  seconds: number,
  arms: array(armResult),
  scenarios: array(scenarioResult),
});

export type Environment = Infer<typeof environment>;
export type ArmResult = Infer<typeof armResult>;
export type MetricResult = Infer<typeof metricResult>;
export type ScenarioResult = Infer<typeof scenarioResult>;
export type BenchResult = Infer<typeof result>;

/** @throws Error naming the field that is not what it must be */
export function parseResult(value: unknown): BenchResult {
  if (versionOf(value) === 1) return fromVersion1(value);
  const parsed = result.parse(value, "result");
  if (parsed.version !== RESULT_VERSION)
    throw new TypeError(`result.version: wanted ${RESULT_VERSION}, got ${parsed.version}`);
  return parsed;
}

const version1 = object({
  version: number,
  name: string,
  environment,
  unit: string,
  arms: array(object({ name: string, summary })),
  ratios: array(object({ name: string, summary })),
});

function versionOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "version" in value
    ? value.version
    : undefined;
}

/** One comparison becomes a scenario with one metric, whose arms have no values but their summary. */
function fromVersion1(value: unknown): BenchResult {
  const old = version1.parse(value, "result");
  const first = old.arms[0]?.name ?? "";
  const metric: MetricResult = {
    name: "value",
    title: old.name,
    // a figure without a unit was a ratio
    unit: old.unit === "" ? "×" : old.unit,
    better: "lower",
    how: `bench/${old.name}`,
    arms: old.arms.map(({ name, summary: s }) => ({ arm: name, values: [], summary: s })),
    ratios: old.ratios.map(({ name, summary: { n, median, min, max } }) => ({
      arm: name,
      over: first,
      n,
      // the file has no interval: all that was measured lies in this one
      interval: { median, low: min, high: max },
    })),
  };
  const { name } = old;
  return {
    version: RESULT_VERSION,
    environment: old.environment,
    seconds: 0,
    arms: [],
    scenarios: [
      { name, title: name, question: "", image: "", rounds: 0, metrics: [metric], lacking: [] },
    ],
  };
}
