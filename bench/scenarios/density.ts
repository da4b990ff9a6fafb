/** Density: containers until the machine is full. */

import { readFile } from "node:fs/promises";
import { Lacking, type OpenArm } from "../arms/arm.ts";
import { holdContainer } from "../measure/held-container.ts";
import { type Measures, plainSession, type Scenario, type Stage } from "./scenario.ts";

/** Part of the host's memory that is left to the host: a machine that swaps measures its disk. */
const SPARE = 0.1;

export const density: Scenario = {
  name: "density",
  title: "Containers until the machine is full",
  question: "How many idle containers does this machine hold?",
  tools: ["sh", "cat"],
  rounds: 1,
  usual: false,
  warmUp: false,
  arms: "all",
  metrics: [
    {
      name: "containers",
      title: "idle containers when full",
      unit: "containers",
      better: "higher",
      how: `started one after the other until less than ${SPARE * 100} % of the host's memory was available or one did not start`,
    },
    {
      name: "seconds",
      title: "time until full",
      unit: "s",
      better: "lower",
      how: "of all these starts together",
    },
  ],
  async open(stage) {
    const arm = await stage.container(stage.settings.image ?? "busybox");
    return plainSession(() => fill(arm, stage));
  },
};

async function fill(arm: OpenArm, stage: Stage): Promise<Measures> {
  const limit = Math.max(...stage.settings.counts);
  await using held = new AsyncDisposableStack();
  const started = performance.now();
  for (let count = 0; count < limit; count++) {
    const full = (await availablePart()) < SPARE;
    const next = full
      ? undefined
      : await holdContainer(arm, { name: stage.newName() }).catch((error: Error) => {
          stage.say(`density: ${stage.arm.name}: container ${count + 1}: ${error.message}`);
          return undefined;
        });
    if (next === undefined)
      return { containers: count, seconds: (performance.now() - started) / 1000 };
    held.use(next);
  }
  throw new Lacking(
    `the machine was not full with ${limit} containers, the most that were asked for (--count N)`,
  );
}

/** MemAvailable over MemTotal (proc(5)). */
async function availablePart(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
  return field("MemAvailable") / field("MemTotal");
}
