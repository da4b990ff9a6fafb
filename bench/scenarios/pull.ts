/** Pull: an image from a registry on loopback, into an empty store, until it can be run. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { noRegistry, startRegistry } from "../../host/image/test-support/real-registry.ts";
import { Lacking } from "../arms/arm.ts";
import { benchLayout } from "../image/bench-layout.ts";
import { runCommand } from "../measure/command.ts";
import { spawned } from "../measure/spawned.ts";
import type { Scenario } from "./scenario.ts";

/** Why an arm pulls nothing. */
const NO_PULL = {
  layers: "its daemon has one store, in which the image's layers are already",
  unpacked: "images come to it by other programs: those of plain namespaces",
} as const;

export const pull: Scenario = {
  name: "pull",
  title: "Pull of an image",
  question: "How long from the request until the image can be run?",
  tools: [],
  rounds: 3,
  usual: false,
  arms: "all",
  metrics: [
    {
      name: "time",
      title: "pull into an empty store",
      unit: "ms",
      better: "lower",
      how: "from a registry on loopback: dvm pull; podman pull; for plain namespaces skopeo copy and umoci unpack",
    },
  ],
  async open({ arm, folder, settings, newName, say }) {
    const { pull: commands, leave } = arm;
    if (commands === undefined) throw new Lacking(NO_PULL[arm.images]);
    if (noRegistry !== false) throw new Lacking(noRegistry);
    const image = settings.image ?? "bench";
    const layout = await benchLayout(image, say);
    const registry = await startRegistry(join(folder, newName()));
    const reference = `${registry.host}/bench:latest`;
    const target = [`oci:${layout}:latest`, `docker://${reference}`];
    await runCommand("skopeo", ["copy", "--quiet", "--dest-tls-verify=false", ...target]);
    return {
      async once() {
        const store = await mkdtemp(join(folder, "s-"));
        try {
          let time = 0;
          for (const line of commands(reference, store)) time += (await spawned(line)).end;
          return { time };
        } finally {
          await leave?.(store);
          await rm(store, { recursive: true, force: true });
        }
      },
      [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
    };
  },
};
