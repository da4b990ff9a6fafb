/** For tests: a result with every kind of plot, two arms that ran and one that did not. */

import { metricResult } from "../measure/run-scenario.ts";
import type { Metric } from "../scenarios/scenario.ts";
import { type BenchResult, RESULT_VERSION } from "./result.ts";

/** Values of arm `unshare` and of arm `dvm-qemu-tcg`, round by round. */
type Values = readonly [readonly number[], readonly number[]];

function figures(metric: Metric, [namespaces, machine]: Values, item?: string) {
  const name = item === undefined ? metric.name : `${metric.name}:${item}`;
  const rounds = (values: readonly number[]) => values.map((value) => ({ [name]: value }));
  return metricResult({ metric, ...(item === undefined ? {} : { item }) }, [
    { arm: "unshare", rounds: rounds(namespaces) },
    { arm: "dvm-qemu-tcg", rounds: rounds(machine) },
  ]);
}

const exit: Metric = {
  name: "exit",
  title: "request to exit",
  unit: "ms",
  better: "lower",
  how: "the whole of `true`",
};
const speed: Metric = {
  ...exit,
  name: "speed",
  title: "prime numbers",
  unit: "M instructions/s",
  better: "higher",
};
const phase: Metric = { ...exit, name: "phase", title: "phases", items: "phase" };
const end: Metric = { ...phase, name: "phase-end", title: "ends" };
const many: Metric = { ...exit, name: "pss-of", title: "PSS", unit: "MiB", items: "containers" };

const control = {
  kernel: "6.1.0",
  bootId: "0".repeat(36),
  cgroup: "0::/",
  pidNamespace: "pid:[1]",
};

export const sampleResult: BenchResult = {
  version: RESULT_VERSION,
  environment: {
    date: "2026-11-21T06:34:44.097Z",
    cpu: "A CPU <with> & signs",
    cpus: 2,
    memory: 2 ** 34,
    kernel: "6.1.0",
    kvm: [],
    node: "v24.0.0",
    qemu: "QEMU 7.2",
    governor: "unknown",
    load: 0.1,
    kvmVerdict: "no KVM for Linux: there is no device",
  },
  seconds: 1,
  arms: [
    {
      name: "unshare",
      title: "plain namespaces",
      isolation: "namespaces",
      how: "unshare",
      control,
    },
    {
      name: "crun",
      title: "crun",
      isolation: "namespaces",
      how: "crun run",
      refusal: "not installed",
    },
    {
      name: "dvm-qemu-tcg",
      title: "dvm, QEMU (TCG)",
      isolation: "vm",
      how: "dvm run",
      control,
    },
  ],
  scenarios: [
    {
      name: "start",
      title: "Start of a container",
      question: "How long?",
      image: "",
      rounds: 3,
      lacking: [{ arm: "crun", reason: "says <b>no</b> | and more" }],
      metrics: [
        figures(exit, [
          [2, 3, 4],
          [200, 330, 480],
        ]),
        figures(speed, [
          [1000, 1000, 1100],
          [100, 90, 110],
        ]),
        figures(phase, [[], [10, 11, 12]], "boot"),
        figures(end, [[], [20, 22, 24]], "boot"),
        figures(
          many,
          [
            [1, 1, 1],
            [80, 81, 82],
          ],
          "1",
        ),
        figures(
          many,
          [
            [3, 3, 3],
            [24000, 24100, 24200],
          ],
          "10",
        ),
      ],
    },
  ],
};
