/** How fast bytes come out of a machine: time from the first to the last of them, in `ms per MiB`. */

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Accelerator } from "../../host/vmm/hypervisor.ts";
import type { CommandLine } from "../arms/arm.ts";
import { startBareQemu } from "../floor/qemu.ts";

const MIB = 2 ** 20;

/** A program in a machine of the backend's own arguments writes straight to the port that the agent has. */
export async function rawPort(options: {
  readonly initramfs: string;
  readonly bytes: number;
  readonly memoryMiB: number;
  readonly accelerator: Accelerator;
  readonly tscKhz?: number;
}): Promise<number> {
  const { bytes, ...machine } = options;
  const qemu = startBareQemu(machine);
  const time = await timeOf(qemu.agent, bytes);
  qemu.agent.write("x");
  await qemu.end;
  return time;
}

/** The output of a command line. */
export async function outputOf({ command, args }: CommandLine, bytes: number): Promise<number> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  return timeOf(child.stdout, bytes);
}

async function timeOf(source: Readable, wanted: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let received = 0;
  let first = 0;
  source.on("data", (piece: Buffer) => {
    if (received === 0) first = performance.now();
    received += piece.length;
    if (received === wanted) resolve((performance.now() - first) / (wanted / MIB));
  });
  source.once("close", () => reject(new Error(`${received} bytes came of ${wanted}`)));
  return promise;
}
