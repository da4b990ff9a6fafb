/** The boot by the functions of the guest kernel: where its instructions go. */

import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Lacking } from "../arms/arm.ts";
import { missingProgram } from "../arms/refusals.ts";
import { buildPlugin } from "../machine/plugin.ts";
import { profile } from "../machine/symbols.ts";
import { BOOT_MEMORY, tracedBoot } from "../machine/traced-boot.ts";
import { SYSTEM_MAP } from "../paths.ts";
import { plainSession, type Scenario } from "./scenario.ts";

const HOW = `a TCG plugin counts the instructions of each translated block of a boot to the agent's hello (${BOOT_MEMORY} MiB, one vCPU, -icount shift=6); a block counts for the function of System.map that it begins in, callees for themselves`;

/** Functions that are named; the others are summed up, so that nothing is left out. */
const NAMED = 40;

export const bootProfile: Scenario = {
  name: "boot-profile",
  title: "Boot by function",
  question: "Which functions of the guest kernel does a boot spend its instructions in?",
  tools: [],
  rounds: 1,
  usual: false,
  // every boot has the same instructions
  warmUp: false,
  arms: "dvm",
  metrics: [
    {
      name: "kernel",
      title: "instructions of the kernel",
      unit: "M instructions",
      better: "lower",
      how: HOW,
    },
    {
      name: "programs",
      title: "instructions of programs: the agent",
      unit: "M instructions",
      better: "lower",
      how: HOW,
    },
    {
      name: "function",
      title: "instructions by function",
      unit: "M instructions",
      better: "lower",
      how: HOW,
      items: "function",
    },
  ],
  async open({ arm, folder }) {
    if (arm.name !== "dvm-qemu-tcg") throw new Lacking("only emulation can be counted by function");
    const missing = await missingProgram("gcc");
    if (missing !== undefined) throw new Lacking(missing);
    const work = await mkdtemp(join(folder, "profile-"));
    const plugin = await buildPlugin("profile", work);
    const systemMap = await readFile(SYSTEM_MAP, "utf8");
    return plainSession(async () => {
      const out = join(work, "blocks");
      await tracedBoot({ accelerator: "tcg", counter: `${plugin},out=${out}` });
      const { functions, kernel, user } = profile(await readFile(out, "utf8"), systemMap);
      const rest = functions.slice(NAMED).reduce((sum, [, count]) => sum + count, 0);
      return {
        kernel: kernel / 1e6,
        programs: user / 1e6,
        ...Object.fromEntries(
          functions.slice(0, NAMED).map(([name, count]) => [`function:${name}`, count / 1e6]),
        ),
        [`function:(${Math.max(0, functions.length - NAMED)} others)`]: rest / 1e6,
      };
    });
  },
};
