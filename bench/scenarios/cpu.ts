/** CPU: integers and floating point, one thread and one on each CPU. */

import { availableParallelism } from "node:os";
import type { Scenario } from "./scenario.ts";
import { caught, stressFigure, type ToolRun, toolSession } from "./tool-runs.ts";

const CPUS = availableParallelism();
const EVENTS = caught(/events per second: +([0-9.]+)/);

function sysbench(name: string, threads: number, title: string): ToolRun {
  const line = `sysbench cpu --threads=${threads} --time=$SECONDS_EACH run`;
  return {
    metric: { name, title, unit: "events/s", better: "higher", how: line },
    line,
    read: EVENTS,
  };
}

function stress(name: string, method: string, title: string): ToolRun {
  const line = `stress-ng --cpu 1 --cpu-method ${method} --timeout $SECONDS_EACH --metrics-brief`;
  return {
    metric: { name, title, unit: "operations/s", better: "higher", how: line },
    line,
    read: stressFigure("cpu"),
  };
}

const runs = [
  sysbench("one-thread", 1, "prime numbers, one thread"),
  sysbench("all-threads", CPUS, `prime numbers, ${CPUS} threads`),
  stress("integer", "int64", "integers, one thread"),
  stress("floating-point", "double", "floating point, one thread"),
];

export const cpu: Scenario = {
  name: "cpu",
  title: "Computing",
  question: "What does work cost that asks the kernel for nothing?",
  tools: ["sysbench", "stress-ng"],
  rounds: 3,
  usual: true,
  arms: "all",
  metrics: runs.map(({ metric }) => metric),
  open: (stage) => toolSession(stage, runs, { cpus: CPUS }),
};
