/** CPU: integers and floating point, one thread and one on each CPU. */

import { availableParallelism } from "node:os";
import { caught, stressFigure, type ToolRun, toolScenario, toolSession } from "./tool-runs.ts";

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

interface StressOptions {
  readonly method: string;
  readonly threads: number;
  readonly title: string;
}

function stress(name: string, { method, threads, title }: StressOptions): ToolRun {
  const line = `stress-ng --cpu ${threads} --cpu-method ${method} --timeout $SECONDS_EACH --metrics-brief`;
  return {
    metric: { name, title, unit: "operations/s", better: "higher", how: line },
    line,
    read: stressFigure("cpu"),
  };
}

const runs = [
  sysbench("one-thread", 1, "prime numbers, one thread"),
  sysbench("all-threads", CPUS, `prime numbers, ${CPUS} threads`),
  stress("integer", { method: "int64", threads: 1, title: "integers, one thread" }),
  stress("integer-all", { method: "int64", threads: CPUS, title: `integers, ${CPUS} threads` }),
  stress("floating-point", { method: "double", threads: 1, title: "floating point, one thread" }),
  stress("floating-point-all", {
    method: "double",
    threads: CPUS,
    title: `floating point, ${CPUS} threads`,
  }),
];

export const cpu = toolScenario(
  {
    name: "cpu",
    title: "Computing",
    question: "What does work cost that asks the kernel for nothing?",
    tools: ["sysbench", "stress-ng"],
  },
  runs,
  (stage) => toolSession(stage, runs, { cpus: CPUS }),
);
