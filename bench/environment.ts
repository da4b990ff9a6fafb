/** Where a result was taken: what tells two results apart. */

import { readFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { runCommand } from "./measure/command.ts";
import { PROJECT } from "./paths.ts";
import type { Environment } from "./result/result.ts";

export async function describeEnvironment(): Promise<Environment> {
  const modules = await readOr("/proc/modules", "");
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memory: totalmem(),
    kernel: release(),
    kvm: [...modules.matchAll(/^(kvm\w*) /gm)].map((match) => match[1] ?? ""),
    node: process.version,
    qemu: await firstLine("qemu-system-x86_64", ["--version"]),
    governor: (
      await readOr("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown")
    ).trim(),
    load: loadavg()[0] ?? 0,
  };
}

/** What costs time to find out: once for a whole bench. */
export async function describeMore(
  folder: string,
  kvmVerdict: string,
): Promise<Partial<Environment>> {
  const hypervisor = /^Hypervisor vendor: *(.+)$/m.exec(await say("lscpu", []))?.[1];
  const fileSystem = (await say("df", ["--output=fstype", folder])).split("\n")[1]?.trim();
  const commit = (await say("git", ["-C", PROJECT, "rev-parse", "--short", "HEAD"])).trim();
  const changed = await say("git", [
    "-C",
    PROJECT,
    "status",
    "--porcelain",
    "--untracked-files=no",
  ]);
  return {
    kvmVerdict,
    ...(hypervisor === undefined ? {} : { hypervisor }),
    ...(fileSystem === undefined ? {} : { fileSystem }),
    ...(commit === "" ? {} : { commit: changed === "" ? commit : `${commit}+` }),
    versions: await versions(),
  };
}

/** How two environments differ in what a figure depends on; empty when they do not. */
export function differences(a: Environment, b: Environment): string[] {
  const fields = ["cpu", "cpus", "memory", "kernel", "hypervisor", "kvmVerdict", "qemu"] as const;
  return fields.flatMap((field) => {
    // the verdict has a measured time in it
    const [x, y] = [a[field], b[field]].map((value) => `${value}`.replace(/ \d[\d.,]* [mµ]s/g, ""));
    return x === y || a[field] === undefined || b[field] === undefined
      ? []
      : [`${field}: ${a[field]} and ${b[field]}`];
  });
}

const TOOLS: Readonly<Record<string, readonly string[]>> = {
  unshare: ["--version"],
  runc: ["--version"],
  crun: ["--version"],
  podman: ["--version"],
  docker: ["--version"],
};

async function versions(): Promise<Readonly<Record<string, string>>> {
  const found = await Promise.all(
    Object.entries(TOOLS).map(async ([tool, args]) => [tool, await firstLine(tool, args)] as const),
  );
  return Object.fromEntries(found.filter(([, version]) => version !== "none"));
}

async function firstLine(command: string, args: readonly string[]): Promise<string> {
  return (await say(command, args)).split("\n")[0] || "none";
}

/** What a command says; nothing for one that fails. */
async function say(command: string, args: readonly string[]): Promise<string> {
  return (await runCommand(command, args).catch(() => ({ stdout: "" }))).stdout;
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return otherwise;
  }
}
