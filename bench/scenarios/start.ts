/** Start: from the request to the first byte of the command's output, and to the command line's end. */

import { spawned } from "../measure/spawned.ts";
import { phaseMeasures, phaseMetrics } from "./phases.ts";
import { plainSession, type Scenario } from "./scenario.ts";

const BUSYBOX = "busybox";

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
    ...phaseMetrics,
  ],
  async open({ container, settings, newName }) {
    const arm = await container(settings.image ?? BUSYBOX);
    return plainSession(async () => {
      const line = await arm.run({ name: newName(), words: ["echo", "ready"] });
      const { firstByte = Number.NaN, end, stderr } = await spawned(line);
      return { "first-byte": firstByte, exit: end, ...phaseMeasures(stderr) };
    });
  },
};

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
