/** A boot to the agent's hello under QEMU, run by hand so that it can be counted and traced. */

import { readFile } from "node:fs/promises";
import { connectAgent } from "../../host/agent/agent-client.ts";
import { type BareQemuOptions, startBareQemu } from "../floor/qemu.ts";
import { cpuTimeOf } from "../measure/processes.ts";
import { observerContainer, observerProcess } from "../observer.ts";
import { INITRAMFS } from "../paths.ts";

/** Memory of the guest, in `MiB`. */
export const BOOT_MEMORY = 128;

/** Time for a boot that is traced, in `milliseconds`. */
const PATIENCE = 120_000;

export interface TracedBootOptions
  extends Pick<BareQemuOptions, "accelerator" | "counter" | "more" | "through" | "disks"> {
  /** what a container of the image on the first disk runs; absent: the agent's hello is the end */
  readonly words?: readonly string[];
}

export interface TracedBoot {
  /** what QEMU wrote on its standard error */
  readonly said: string;
  /** what the container printed */
  readonly printed: string;
  /** from exec to the agent's hello, in `milliseconds` */
  readonly time: number;
  /** processor time of QEMU at the hello, in `milliseconds` */
  readonly cpu: number;
  /** bytes that QEMU had read and written by system calls at the hello */
  readonly bytes: number;
}

/** @throws Error when the guest does not come up */
export async function tracedBoot({ words, ...options }: TracedBootOptions): Promise<TracedBoot> {
  const started = performance.now();
  const qemu = startBareQemu({
    ...options,
    initramfs: INITRAMFS,
    memoryMiB: BOOT_MEMORY,
    // a fixed clock: the instructions of each boot are the same
    tscKhz: 2_000_000,
  });
  try {
    const agent = await connectAgent(qemu.agent, { signal: AbortSignal.timeout(PATIENCE) });
    const time = performance.now() - started;
    const [cpu, bytes] = await Promise.all([cpuTimeOf(qemu.pid), ioBytes(qemu.pid)]);
    const printed = words === undefined ? "" : await runObserver(agent, words);
    // QEMU writes what it counted when it ends in an orderly way; a tracer in front hands nothing on
    process.kill(await ownPid(qemu.pid), "SIGTERM");
    agent.close();
    return { said: await qemu.end, printed, time, cpu, bytes };
  } catch (error) {
    qemu.kill();
    throw error;
  }
}

async function runObserver(
  agent: Awaited<ReturnType<typeof connectAgent>>,
  words: readonly string[],
): Promise<string> {
  await agent.request({ type: "container.create", container: "bench", spec: observerContainer });
  const output = agent.openReadable();
  const process = observerProcess(words, output.id);
  await agent.request({ type: "container.start", container: "bench", process });
  const chunks: Buffer[] = [];
  for await (const chunk of output) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

/** QEMU itself, where a tracer is its parent. */
async function ownPid(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const [first] = children.trim().split(" ");
  return first ? Number(first) : pid;
}

/** rchar and wchar of /proc/PID/io (proc(5)). */
export async function ioBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/io`, "utf8");
  const [, read = "0"] = /^rchar: (\d+)$/m.exec(text) ?? [];
  const [, written = "0"] = /^wchar: (\d+)$/m.exec(text) ?? [];
  return Number(read) + Number(written);
}
