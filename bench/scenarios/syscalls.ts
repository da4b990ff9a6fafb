/** System calls: what the border between a program and its kernel costs, and what the kernel does behind it. */

import { stressFigure, type ToolRun, toolScenario } from "./tool-runs.ts";

function run(stressor: string, title: string, words = ""): ToolRun {
  const line = `stress-ng --${stressor} 1 ${words}--timeout $SECONDS_EACH --metrics-brief`;
  return {
    metric: { name: stressor, title, unit: "operations/s", better: "higher", how: line },
    line,
    read: stressFigure(stressor),
  };
}

const runs = [
  run("get", "calls that only ask (get…)"),
  run("null", "writes to /dev/null"),
  run("pipe", "messages through a pipe"),
  run("fork", "processes forked and awaited"),
  run("mmap", "4 MiB of memory mapped, touched, unmapped", "--mmap-bytes 4m "),
];

export const syscalls = toolScenario(
  {
    name: "syscalls",
    title: "System calls",
    question:
      "What does a kernel of one's own cost at the border that programs cross all the time?",
    tools: ["stress-ng"],
  },
  runs,
);
