/** The daemon with idle containers: what it holds and what it does, though there is nothing to do. */

import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { Lacking, type OpenArm } from "../arms/arm.ts";
import { holdContainer } from "../measure/held-container.ts";
import { cpuTimeOf, memoryOf, processesWith } from "../measure/processes.ts";
import { type Measures, plainSession, type Scenario, type Stage } from "./scenario.ts";

/** From the start of the last container to the measurement, in `milliseconds`. */
const SETTLE = 1000;
/** Time over which the processor's is counted, in `milliseconds`. */
const WINDOW = 5000;

export const daemonIdle: Scenario = {
  name: "daemon-idle",
  title: "The daemon with idle containers",
  question: "What does dvmd hold and do when its containers do nothing?",
  tools: ["sleep"],
  rounds: 1,
  usual: false,
  warmUp: false,
  arms: "dvm",
  metrics: [
    {
      name: "resident",
      title: "resident memory of dvmd",
      unit: "MiB",
      better: "lower",
      how: "Rss of /proc/PID/smaps_rollup of dvmd alone, one second after the last of the containers started",
      items: "containers",
    },
    {
      name: "cpu",
      title: "processor time of dvmd",
      unit: "% of a CPU",
      better: "lower",
      how: `user and system time of /proc/PID/stat over ${WINDOW / 1000} s, in steps of 10 ms`,
      items: "containers",
    },
  ],
  async open(stage) {
    const image = stage.settings.image ?? "busybox";
    const arm = await stage.container(image);
    return plainSession(() => raise(arm, stage, `${stage.armFolder(image)}/`));
  },
};

async function raise(arm: OpenArm, stage: Stage, mark: string): Promise<Measures> {
  const counts = stage.settings.counts;
  const measures: Record<string, number> = {};
  await using held = new AsyncDisposableStack();
  for (let count = 1; count <= Math.max(...counts); count++) {
    held.use(await holdContainer(arm, { name: stage.newName() }));
    if (!counts.includes(count)) continue;
    await setTimeout(SETTLE);
    const daemon = await daemonOf(mark);
    const before = await cpuTimeOf(daemon);
    await setTimeout(WINDOW);
    measures[`cpu:${count}`] = (((await cpuTimeOf(daemon)) - before) / WINDOW) * 100;
    measures[`resident:${count}`] = (await memoryOf([daemon])).rss;
  }
  return measures;
}

async function daemonOf(mark: string): Promise<number> {
  for (const pid of await processesWith(mark)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (/dvmd[^/]*\0/.test(commandLine)) return pid;
  }
  throw new Lacking("no dvmd holds its containers");
}
