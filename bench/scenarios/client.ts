/** The command line itself: what it costs before it does anything. */

import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Lacking } from "../arms/arm.ts";
import { spawned } from "../measure/spawned.ts";
import { DVM } from "../paths.ts";
import { plainSession, type Scenario } from "./scenario.ts";

export const client: Scenario = {
  name: "client",
  title: "The command line by itself",
  question: "What does a call cost before it does anything?",
  tools: [],
  rounds: 15,
  usual: false,
  arms: "dvm",
  metrics: [
    {
      name: "help",
      title: "dvm --help",
      unit: "ms",
      better: "lower",
      how: "spawn to end of `dvm --help`",
    },
    {
      name: "node",
      title: "an empty Node script",
      unit: "ms",
      better: "neither",
      how: "spawn to end of the same Node with an empty file, in the same round",
    },
    {
      name: "help-over-node",
      title: "dvm --help over an empty Node script",
      unit: "×",
      better: "lower",
      how: "the two calls of a round, the former over the latter",
    },
  ],
  async open({ arm, folder }) {
    if (!arm.name.startsWith("dvm-qemu"))
      throw new Lacking("the client is the same for all backends");
    const script = join(await mkdtemp(join(folder, "client-")), "empty.mjs");
    await writeFile(script, "");
    return plainSession(async () => {
      const { end: node } = await spawned({ command: process.execPath, args: [script] });
      const { end: help } = await spawned({ command: DVM, args: ["--help"] });
      return { help, node, "help-over-node": help / node };
    });
  },
};
