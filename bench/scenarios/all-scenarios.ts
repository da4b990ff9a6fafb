/** The scenarios by name, in the order of the page. */

import { benchError } from "../errors.ts";
import { boot } from "./boot.ts";
import { bootProfile } from "./boot-profile.ts";
import { client } from "./client.ts";
import { cpu } from "./cpu.ts";
import { daemonIdle } from "./daemon-idle.ts";
import { density } from "./density.ts";
import { disk } from "./disk.ts";
import { exec } from "./exec.ts";
import { layers } from "./layers.ts";
import { memory } from "./memory.ts";
import { memorySpeed } from "./memory-speed.ts";
import { network } from "./network.ts";
import { pull } from "./pull.ts";
import type { Scenario } from "./scenario.ts";
import { sizes } from "./sizes.ts";
import { start, startConcurrent, startNetwork } from "./start.ts";
import { startDetached } from "./start-detached.ts";
import { syscalls } from "./syscalls.ts";

export const allScenarios: readonly Scenario[] = [
  start,
  startConcurrent,
  startDetached,
  startNetwork,
  layers,
  exec,
  memory,
  cpu,
  memorySpeed,
  syscalls,
  disk,
  network,
  pull,
  density,
  daemonIdle,
  boot,
  bootProfile,
  sizes,
  client,
];

/** @returns those named, or the usual ones @throws DvmError `UNKNOWN_SCENARIO` */
export function chooseScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return allScenarios.filter(({ usual }) => usual);
  return names.map((name) => {
    const found = allScenarios.find((scenario) => scenario.name === name);
    if (found === undefined) throw benchError("UNKNOWN_SCENARIO", `no scenario: ${name}`);
    return found;
  });
}
