/** Memory: how fast it is read and written, in a row and at random. */

import { caught, type ToolRun, toolScenario } from "./tool-runs.ts";

/** Larger than a cache of the second level, smaller than any guest. */
const BLOCK = "16M";

function run(name: string, words: string, title: string): ToolRun {
  const line = `sysbench memory --memory-block-size=${BLOCK} --memory-total-size=1T --time=$SECONDS_EACH ${words} run`;
  return {
    metric: { name, title, unit: "MiB/s", better: "higher", how: line },
    line,
    read: caught(/\(([0-9.]+) MiB\/sec\)/),
  };
}

const runs = [
  run("read", "--memory-oper=read --memory-access-mode=seq", "reads in a row"),
  run("write", "--memory-oper=write --memory-access-mode=seq", "writes in a row"),
  run("random-read", "--memory-oper=read --memory-access-mode=rnd", "reads at random"),
  run("random-write", "--memory-oper=write --memory-access-mode=rnd", "writes at random"),
];

export const memorySpeed = toolScenario(
  {
    name: "memory-speed",
    title: "Speed of memory",
    question: "What does a second level of page tables, or emulation, cost?",
    tools: ["sysbench"],
  },
  runs,
);
