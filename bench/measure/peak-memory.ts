/** Runs a command and gives the peak of its resident memory, of the process itself without its children. */

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

const INTERVAL = 10;

/** @returns VmHWM of proc(5), in `MiB` @throws Error when the command does not end with 0 */
export async function peakMemory(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: "ignore" });
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    const found = /^VmHWM:\s+([0-9]+) kB/m.exec(status)?.[1];
    if (found !== undefined) peak = Math.max(peak, Number(found) / 1024);
    await setTimeout(INTERVAL);
  }
  if (child.exitCode !== 0)
    throw new Error(`${command} ${args.join(" ")}: ended with ${child.exitCode}`);
  return peak;
}
