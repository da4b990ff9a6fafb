/** Detached start: until an engine says that a container runs, and what it adds to the VM's own start. */

import { Lacking } from "../arms/arm.ts";
import { spawned } from "../measure/spawned.ts";
import { type Phase, readPhases } from "./phases.ts";
import { plainSession, type Scenario } from "./scenario.ts";

export const startDetached: Scenario = {
  name: "start-detached",
  title: "Start of a detached container",
  question: "How long from the request until the engine says that the container runs?",
  tools: ["sleep"],
  rounds: 7,
  usual: false,
  arms: "all",
  metrics: [
    {
      name: "running",
      title: "request to running",
      unit: "ms",
      better: "lower",
      how: "run -d of `sleep`, spawn of the command line to its end; the container is removed outside of the time",
    },
    {
      name: "over-machine",
      title: "more than the VM's own start",
      unit: "ms",
      better: "lower",
      how: "the same, less the time from the start of the VMM's process to the agent's first byte as dvm run --verbose tells it",
    },
  ],
  async open({ container, settings, newName }) {
    const arm = await container(settings.image ?? "busybox");
    const { remove } = arm;
    if (remove === undefined) throw new Lacking("it has no engine that holds a detached container");
    return plainSession(async () => {
      const name = newName();
      const { end, stderr } = await spawned(
        await arm.run({ name, words: ["sleep", "1000"], detached: true }),
      );
      await spawned(remove(name));
      const machine = machineStart(readPhases(stderr));
      return { running: end, ...(machine === undefined ? {} : { "over-machine": end - machine }) };
    });
  },
};

/** From the start of the first of the VM's phases to the end of the last; undefined: none is told. */
export function machineStart(phases: readonly Phase[]): number | undefined {
  const own = phases.filter(({ name }) => name.startsWith("vm-"));
  if (own.length === 0) return undefined;
  const begin = Math.min(...own.map(({ end, duration }) => end - duration));
  return Math.max(...own.map(({ end }) => end)) - begin;
}
