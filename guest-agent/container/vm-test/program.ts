/** Process 1 of a guest in which the container tests run: plays each scenario and tells the console what it saw. */

import { earlyMounts, mountCgroups } from "../../init/early-mounts.ts";
import { POLLIN } from "../../linux/poll.ts";
import type { Engine } from "../../syscalls/engine.ts";
import { kernelSyscalls } from "../../syscalls/kernel-syscalls.ts";
import { writeAll } from "../file-access.ts";
import { encodeText } from "../text.ts";
import { Bench } from "./bench.ts";
import { LIFE_SCENARIOS } from "./life-scenarios.ts";
import { REFUSAL_SCENARIOS } from "./refusal-scenarios.ts";
import { SETTING_SCENARIOS } from "./setting-scenarios.ts";
import { USER_SCENARIOS } from "./user-scenarios.ts";

declare const engine: Engine;

// linux/reboot.h
const LINUX_REBOOT_CMD_RESTART = 0x0123_4567;

const sys = kernelSyscalls(engine);
const say = (text: string): void => writeAll(sys, 1, encodeText(`${text}\n`));

earlyMounts(sys);
mountCgroups(sys);
const bench = new Bench(sys);
for (const [name, scenario] of Object.entries({
  ...SETTING_SCENARIOS,
  ...LIFE_SCENARIOS,
  ...USER_SCENARIOS,
  ...REFUSAL_SCENARIOS,
})) {
  let outcome: { readonly saw?: unknown; readonly threw?: string };
  try {
    outcome = { saw: scenario(bench) };
  } catch (error) {
    outcome = { threw: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
  say(`RESULT ${JSON.stringify({ name, ...outcome })}`);
  bench.clear();
}
say("RESULTS END");
sys.poll([{ fd: 0, events: POLLIN }], 200);
sys.reboot(LINUX_REBOOT_CMD_RESTART);
