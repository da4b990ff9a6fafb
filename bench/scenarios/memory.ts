/** Memory: what all processes of a container hold, and what each further container adds. */

import { setTimeout } from "node:timers/promises";
import type { OpenArm } from "../arms/arm.ts";
import { type HeldContainer, holdContainer } from "../measure/held-container.ts";
import { type Memory, memoryOf, processesOf } from "../measure/processes.ts";
import { spawned } from "../measure/spawned.ts";
import { type Measures, plainSession, type Scenario, type Stage } from "./scenario.ts";

/** From the start of the last container to the measurement, in `milliseconds`. */
const SETTLE = 500;

const HOW =
  "summed over every process whose command line holds the arm's own store, and their descendants (for docker the container's shim, dockerd and containerd, which may hold other containers too): engine, daemon, monitor, VMM, helpers and the container's own; engines hold it detached, plain namespaces and runtimes attached; neither page cache nor the kernel's own memory; half a second after the last start";

export const memory: Scenario = {
  name: "memory",
  title: "Memory of idle containers",
  question: "What does a container hold that does nothing, and what does each further one add?",
  tools: ["sh", "cat"],
  rounds: 3,
  usual: true,
  arms: "all",
  metrics: [
    {
      name: "pss",
      title: "proportional memory of one container (PSS)",
      unit: "MiB",
      better: "lower",
      how: `Pss of /proc/PID/smaps_rollup, ${HOW}`,
    },
    {
      name: "rss",
      title: "resident memory of one container (RSS)",
      unit: "MiB",
      better: "lower",
      how: `Rss of /proc/PID/smaps_rollup, ${HOW}; shared pages count for each process`,
    },
    {
      name: "marginal",
      title: "proportional memory that each further container adds",
      unit: "MiB",
      better: "lower",
      how: "PSS of the largest number of containers measured, less that of one, over the number of the further ones",
    },
    {
      name: "guest-used",
      title: "memory in use inside the guest",
      unit: "MiB",
      better: "lower",
      how: "MemTotal less MemAvailable of the guest's /proc/meminfo, with one idle container",
    },
    {
      name: "pss-of",
      title: "proportional memory of many containers (PSS)",
      unit: "MiB",
      better: "lower",
      how: `each number of containers is raised and measured, none is reckoned; Pss, ${HOW}`,
      items: "containers",
    },
  ],
  async open(stage) {
    const image = stage.settings.image ?? "busybox";
    const arm = await stage.container(image);
    return plainSession(() => raise(arm, stage, stage.armFolder(image)));
  },
};

/** One round: containers one after the other, measured at each of the numbers asked for. */
async function raise(arm: OpenArm, stage: Stage, folder: string): Promise<Measures> {
  const counts = [1, ...stage.settings.counts.filter((count) => count > 1)].toSorted(
    (a, b) => a - b,
  );
  await using held = new AsyncDisposableStack();
  const measured = new Map<number, Memory>();
  // with the slash: the folder 1 is not the folder 10
  const mark = `${folder}/`;
  const further: (() => Promise<readonly number[]>)[] = [];
  let meminfo = "";
  for (let count = 1; count <= (counts.at(-1) ?? 1); count++) {
    const container = held.use(await holdContainer(arm, { name: stage.newName() }));
    if (count === 1 && stage.arm.isolation === "vm") meminfo = await guestMemory(arm, container);
    const { furtherProcesses } = arm;
    if (furtherProcesses !== undefined) further.push(() => furtherProcesses(container.name));
    if (!counts.includes(count)) continue;
    // helpers of the start have gone by then
    await setTimeout(SETTLE);
    const pids = [await processesOf(mark), ...(await Promise.all(further.map((of) => of())))];
    measured.set(count, await memoryOf([...new Set(pids.flat())]));
  }
  return toMeasures(measured, meminfo);
}

async function guestMemory(arm: OpenArm, { name, pid }: HeldContainer): Promise<string> {
  return (await spawned(await arm.exec(name, ["cat", "/proc/meminfo"], pid))).stdout;
}

function toMeasures(measured: ReadonlyMap<number, Memory>, meminfo: string): Measures {
  const one = measured.get(1) ?? { pss: Number.NaN, rss: Number.NaN };
  const [most, all] = [...measured].at(-1) ?? [1, one];
  const field = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(meminfo)?.[1] ?? Number.NaN) / 1024;
  const used = field("MemTotal") - field("MemAvailable");
  return {
    pss: one.pss,
    rss: one.rss,
    ...(most > 1 ? { marginal: (all.pss - one.pss) / (most - 1) } : {}),
    ...(Number.isFinite(used) ? { "guest-used": used } : {}),
    ...Object.fromEntries([...measured].map(([count, { pss }]) => [`pss-of:${count}`, pss])),
  };
}
