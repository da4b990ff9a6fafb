/** Exec: a further process in a container that runs. */

import { holdContainer } from "../measure/held-container.ts";
import { spawned } from "../measure/spawned.ts";
import type { Scenario } from "./scenario.ts";

export const exec: Scenario = {
  name: "exec",
  title: "A command in a running container",
  question: "How long does a further process take, from the request to its exit?",
  tools: ["true"],
  rounds: 15,
  usual: true,
  arms: "all",
  metrics: [
    {
      name: "exit",
      title: "exec of true, request to exit",
      unit: "ms",
      better: "lower",
      how: "spawn of the command line that runs `true` in a container which has been running, to its end; nsenter for plain namespaces",
    },
  ],
  async open({ container, settings, newName }) {
    const arm = await container(settings.image ?? "busybox");
    const held = await holdContainer(arm, { name: newName() });
    return {
      once: async () => {
        const { end } = await spawned(await arm.exec(held.name, ["true"], held.pid));
        return { exit: end };
      },
      [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
    };
  },
};
