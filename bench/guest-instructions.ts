/**
 * Guest instructions until the agent is ready, counted exactly by a TCG plugin: the same on every machine.
 *
 * usage: node bench/guest-instructions.ts [MEMORY_MIB]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAgent } from "../host/agent/agent-client.ts";
import { floorInitramfs } from "./floor/floor-initramfs.ts";
import { startBareQemu } from "./floor/qemu.ts";
import { buildPlugin } from "./machine/plugin.ts";
import { INITRAMFS } from "./paths.ts";

const memoryMiB = Number(process.argv[2] ?? 128);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
try {
  const plugin = await buildPlugin("instructions", folder);
  const kernelOnly = await count(await floorInitramfs(folder), plugin);
  const ready = await count(INITRAMFS, plugin);
  process.stdout.write(
    `guest instructions at ${memoryMiB} MiB: ${millions(kernelOnly)} to the first instruction of init, ${millions(ready)} until the agent is ready\n`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Runs a machine to the end of its init, or to the agent's hello, and gives the plugin's count. */
async function count(initramfs: string, counter: string): Promise<number> {
  const qemu = startBareQemu({
    initramfs,
    memoryMiB,
    accelerator: "tcg",
    counter,
    tscKhz: 2_000_000,
  });
  if (initramfs === INITRAMFS) {
    const agent = await connectAgent(qemu.agent, { signal: AbortSignal.timeout(120_000) });
    // QEMU prints the count when it ends in an orderly way
    process.kill(qemu.pid, "SIGTERM");
    agent.close();
  }
  const printed = await qemu.end;
  const found = /instructions: (\d+)/.exec(printed);
  if (found === null) throw new Error(`the plugin printed no count: ${printed}`);
  return Number(found[1]);
}

function millions(instructions: number): string {
  return `${(instructions / 1e6).toFixed(2)} M`;
}
