/** Layers: the same files as one layer and as forty. */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Lacking } from "../arms/arm.ts";
import { benchLayout } from "../image/bench-layout.ts";
import { MANY, makeManyAndOne } from "../image-scenes/four-layers.ts";
import { runCommand } from "../measure/command.ts";
import { spawned } from "../measure/spawned.ts";
import { plainSession, type Scenario, type Stage } from "./scenario.ts";

export const layers: Scenario = {
  name: "layers",
  title: "Starts of images with one layer and with many",
  question: `What do ${MANY} layers cost at the start, over one layer with the same files?`,
  tools: ["true"],
  rounds: 7,
  usual: false,
  arms: "all",
  metrics: [
    {
      name: "one",
      title: "one layer, request to exit",
      unit: "ms",
      better: "lower",
      how: "run of `true` in an image of one layer; the image is there",
    },
    {
      name: "many",
      title: `${MANY} layers, request to exit`,
      unit: "ms",
      better: "lower",
      how: `the same right after it, in an image of the same files in ${MANY} layers`,
    },
    {
      name: "many-over-one",
      title: `${MANY} layers over one`,
      unit: "×",
      better: "lower",
      how: "the two runs of a round, the latter over the former",
    },
  ],
  async open(stage) {
    if (stage.arm.images === "unpacked") throw new Lacking("an unpacked image has no layers");
    const layout = await layerLayout(stage);
    const [one, many] = [
      await stage.container(`${layout}:one`),
      await stage.container(`${layout}:many`),
    ];
    return plainSession(async () => {
      const run = async (arm: typeof one): Promise<number> =>
        (await spawned(await arm.run({ name: stage.newName(), words: ["true"] }))).end;
      const [first, second] = [await run(one), await run(many)];
      return { one: first, many: second, "many-over-one": second / first };
    });
  },
};

/** Made once for all arms of the scenario. */
async function layerLayout({ folder, say }: Stage): Promise<string> {
  const layout = join(folder, "layout");
  if ((await stat(join(layout, "index.json")).catch(() => undefined)) !== undefined) return layout;
  await benchLayout("busybox", say);
  await runCommand("umoci", ["init", "--layout", layout]);
  await makeManyAndOne(folder, layout);
  return layout;
}
