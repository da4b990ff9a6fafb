/** Where a result was taken: what tells two results apart. */

import { readFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { runCommand } from "./measure/command.ts";

export interface Environment {
  /** when the run began, ISO 8601 */
  readonly date: string;
  readonly cpu: string;
  readonly cpus: number;
  /** main memory, in `bytes` */
  readonly memory: number;
  readonly kernel: string;
  /** modules that provide KVM, such as kvm_amd; empty when there are none */
  readonly kvm: readonly string[];
  readonly node: string;
  readonly qemu: string;
  /** frequency governor of CPU 0, or `unknown` */
  readonly governor: string;
  /** load average over one minute when the run began */
  readonly load: number;
}

export async function describeEnvironment(): Promise<Environment> {
  const modules = await readOr("/proc/modules", "");
  const qemu = await runCommand("qemu-system-x86_64", ["--version"]).catch(() => ({
    stdout: "none",
  }));
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memory: totalmem(),
    kernel: release(),
    kvm: [...modules.matchAll(/^(kvm\w*) /gm)].map((match) => match[1] ?? ""),
    node: process.version,
    qemu: qemu.stdout.split("\n")[0] ?? "unknown",
    governor: (
      await readOr("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown")
    ).trim(),
    load: loadavg()[0] ?? 0,
  };
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return otherwise;
  }
}
