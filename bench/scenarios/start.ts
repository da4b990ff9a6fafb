/** Start: from the request to the first byte of the command's output, and to the command line's end. */

import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OpenArm } from "../arms/arm.ts";
import { sourceOf } from "../arms/machine-source.ts";
import { type Spawned, spawned } from "../measure/spawned.ts";
import { phaseMeasures, phaseMetrics } from "./phases.ts";
import { plainSession, type Scenario, type Stage } from "./scenario.ts";

const BUSYBOX = "busybox";

const SOURCES = ["ready", "clone", "boot"] as const;

export const start: Scenario = {
  name: "start",
  title: "Start of a container",
  question: "How long from the request until the command speaks, and until all is over?",
  tools: ["echo"],
  rounds: 15,
  usual: true,
  arms: "all",
  metrics: [
    {
      name: "first-byte",
      title: "request to first byte of output",
      unit: "ms",
      better: "lower",
      how: "spawn of the command line that runs `echo` in a new container, to the first byte that it writes; no network",
    },
    {
      name: "exit",
      title: "request to exit",
      unit: "ms",
      better: "lower",
      how: "the same run, to the end of the command line, the container removed",
    },
    {
      name: "exit-over-node",
      title: "request to exit, over an empty Node script",
      unit: "×",
      better: "lower",
      how: "the same run, over the time of the Node that dvm's client runs in, with an empty file, right after it",
    },
    ...phaseMetrics,
  ],
  sources: SOURCES,
  async open(stage) {
    const { folder, settings } = stage;
    const arm = await stage.container(settings.image ?? BUSYBOX);
    const script = join(await mkdtemp(join(folder, "node-")), "empty.mjs");
    await writeFile(script, "");
    return plainSession(async () => {
      const {
        firstByte = Number.NaN,
        end,
        stderr,
      } = await startOnce(arm, stage, ["echo", "ready"]);
      const measures = { "first-byte": firstByte, exit: end, ...phaseMeasures(stderr) };
      if (stage.source === undefined) return measures;
      const node = await spawned({ command: process.execPath, args: [script] });
      return { ...measures, "exit-over-node": end / node.end };
    });
  },
};

/** One that finds no machine ready, or no template, waits and starts again, so often at most. */
const TRIES = 4;

/** A start whose machine came from where the arm says. @throws Error when none does */
async function startOnce(
  arm: OpenArm,
  { source, newName }: Stage,
  words: readonly string[],
): Promise<Spawned> {
  for (let tries = 0; tries < TRIES; tries++) {
    await arm.settle?.();
    const run = await spawned(await arm.run({ name: newName(), words }));
    if (source === undefined || sourceOf(run.stderr) === source) return run;
  }
  throw new Error(
    `none of ${TRIES} starts had a machine from where it should have come: ${source}`,
  );
}

/** Containers that are started at the same moment. */
const AT_ONCE = 4;

export const startConcurrent: Scenario = {
  name: "start-concurrent",
  title: "Starts at the same moment",
  question: "What do starts cost that compete for the machine?",
  tools: ["true"],
  rounds: 5,
  usual: false,
  arms: "all",
  metrics: [
    {
      name: "last-exit",
      title: `${AT_ONCE} requests at once to the last exit`,
      unit: "ms",
      better: "lower",
      how: `${AT_ONCE} command lines that run \`true\` are spawned together; until the last has ended`,
    },
  ],
  sources: ["clone", "boot"],
  async open({ container, settings, newName }) {
    const arm = await container(settings.image ?? BUSYBOX);
    return plainSession(async () => {
      const lines = await Promise.all(
        Array.from({ length: AT_ONCE }, () => arm.run({ name: newName(), words: ["true"] })),
      );
      const ends = await Promise.all(lines.map(spawned));
      return { "last-exit": Math.max(...ends.map(({ end }) => end)) };
    });
  },
};

export const startNetwork: Scenario = {
  name: "start-network",
  title: "What a network adds to a start",
  question: "How much longer does a start take with a network than without?",
  tools: ["true"],
  rounds: 7,
  usual: false,
  arms: "all",
  metrics: [
    {
      name: "none",
      title: "without a network, request to exit",
      unit: "ms",
      better: "lower",
      how: "run of `true`",
    },
    {
      name: "usual",
      title: "with a network, request to exit",
      unit: "ms",
      better: "lower",
      how: "run of `true` right after it, with the arm's usual network: user mode for dvm, a bridge for engines, the host's for plain namespaces and runtimes",
    },
    {
      name: "added",
      title: "what the network adds",
      unit: "ms",
      better: "lower",
      how: "the latter run of a round less the former",
    },
  ],
  async open({ container, settings, newName }) {
    const arm = await container(settings.image ?? BUSYBOX);
    const run = async (network: "none" | "usual"): Promise<number> =>
      (await spawned(await arm.run({ name: newName(), words: ["true"], network }))).end;
    return plainSession(async () => {
      const [none, usual] = [await run("none"), await run("usual")];
      return { none, usual, added: usual - none };
    });
  },
};
