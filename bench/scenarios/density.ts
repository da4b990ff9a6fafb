/** Density: containers until the machine is full. */

import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { Lacking, type OpenArm } from "../arms/arm.ts";
import { holdContainer } from "../measure/held-container.ts";
import { type Measures, plainSession, type Scenario, type Stage } from "./scenario.ts";

/** From the last start to the measurement, in `milliseconds`. */
const SETTLE = 500;
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
      title: "idle containers at the end",
      unit: "containers",
      better: "neither",
      how: `started one after the other until less than ${SPARE * 100} % of the host's memory was available, one did not start, or there were as many as --count allows: what was left tells whether the machine was full`,
    },
    {
      name: "left",
      title: "memory of the host that was left",
      unit: "%",
      better: "neither",
      how: "MemAvailable over MemTotal of /proc/meminfo with these containers",
    },
    {
      name: "taken",
      title: "memory that the host has less, for each container",
      unit: "MiB",
      better: "lower",
      how: "what MemAvailable fell by from before the first start, over the number of containers: page cache, the kernel's own memory and what else the machine did are in it",
    },
    {
      name: "rate",
      title: "containers started in a second, one after the other",
      unit: "containers/s",
      better: "higher",
      how: "number of containers over the time of all starts",
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
  const before = await hostMemory();
  const started = performance.now();
  let count = 0;
  for (let now = before; count < limit && now.available / now.total >= SPARE; count++) {
    const next = await holdContainer(arm, { name: stage.newName() }).catch((error: Error) => {
      stage.say(`density: ${stage.arm.name}: container ${count + 1}: ${error.message}`);
      return undefined;
    });
    if (next === undefined) break;
    held.use(next);
    now = await hostMemory();
  }
  if (count === 0) throw new Lacking("not one container was held: no memory, or none started");
  const rate = count / ((performance.now() - started) / 1000);
  await setTimeout(SETTLE);
  const { available, total } = await hostMemory();
  return {
    containers: count,
    left: (available / total) * 100,
    taken: (before.available - available) / count,
    rate,
  };
}

interface HostMemory {
  /** MemAvailable of /proc/meminfo (proc(5)), in `MiB` */
  readonly available: number;
  /** MemTotal, in `MiB` */
  readonly total: number;
}

async function hostMemory(): Promise<HostMemory> {
  const text = await readFile("/proc/meminfo", "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { available: field("MemAvailable"), total: field("MemTotal") };
}
