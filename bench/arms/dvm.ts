/** dvm with one of its backends, as a user calls it. */

import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { enginePaths } from "../../host/engine/paths.ts";
import { hostCache } from "../../host/engine/real-parts.ts";
import { chooseBackend } from "../../host/vmm/factory.ts";
import { probeHost } from "../../host/vmm/probe.ts";
import { endProcesses, processesWith } from "../measure/processes.ts";
import { spawned } from "../measure/spawned.ts";
import { DVM } from "../paths.ts";
import type { Arm, CommandLine } from "./arm.ts";
import { SETTINGS } from "./machine-source.ts";

export interface DvmBackend {
  readonly vmm: "qemu" | "kvm";
  readonly accel: "tcg" | "kvm";
}

export function dvm({ vmm, accel }: DvmBackend, cacheDirectory: string): Arm {
  return {
    name: vmm === "kvm" ? "dvm-kvm" : `dvm-qemu-${accel}`,
    title: `dvm, ${vmm === "kvm" ? "own VMM" : "QEMU"} (${accel.toUpperCase()})`,
    isolation: "vm",
    images: "layers",
    how: `dvm run --rm --vmm ${vmm} --accel ${accel}, a daemon and a data root of its own; machines are clones of a booted one unless the name says other; with a network: user (passt)`,
    refusal: () => refusal({ vmm, accel }, cacheDirectory),
    async open({ image, folder, source = "clone" }) {
      const call = ["--data-root", join(folder, "data")];
      await handOver(cacheDirectory, hostCache(join(folder, "data")));
      const line = (...words: readonly string[]): CommandLine => ({
        command: DVM,
        args: [...call, ...words],
        variables: SETTINGS[source],
      });
      if (source !== "boot") {
        // what dvmd does itself, a while after the first container has booted
        const build = line("template", "build", "--vmm", vmm, "--accel", accel);
        await spawned(build).catch((error: unknown) =>
          leave(folder).then(() => Promise.reject(error)),
        );
      }
      return {
        run: async (options) => {
          const { name, words, network = "none", cpus, memoryMiB } = options;
          const machine = ["--vmm", vmm, "--accel", accel];
          const flags = [
            "--rm",
            "--verbose",
            "--name",
            name,
            ...machine,
            ...(options.interactive ? ["-i"] : []),
            ...(options.detached ? ["-d"] : []),
          ];
          const net = ["--network", network === "none" ? "none" : "user"];
          const size = [
            ...(cpus === undefined ? [] : ["--cpus", `${cpus}`]),
            ...(memoryMiB === undefined ? [] : ["--memory", `${memoryMiB}m`]),
          ];
          return line("run", ...flags, ...net, ...size, `oci:${image}`, ...words);
        },
        exec: async (name, words) => line("exec", name, ...words),
        remove: (name) => line("rm", "--force", name),
        ...(source === "ready" && { settle: () => spareReady(folder) }),
        [Symbol.asyncDispose]: () => leave(folder),
      };
    },
    pull: (reference, folder) => [
      { command: DVM, args: ["--data-root", join(folder, "data"), "pull", "-q", reference] },
    ],
    leave,
  };
}

/** What the bench has measured of this host holds for every daemon of it: a second measurement might err. */
async function handOver(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await copyFile(join(from, PROBE), join(to, PROBE)).catch(() => {});
}

const PROBE = "host-probe.json";

/** A machine that is kept ready is paused when its warm-up is over, this long after its start, in `milliseconds`. */
const WARM_UP = 1000;
/** Longest time for there to be one, in `milliseconds`: before the first container of a shape none is made. */
const PATIENCE = 20_000;

async function spareReady(folder: string): Promise<void> {
  const { runRoot } = enginePaths(process.env, join(folder, "data"));
  const deadline = performance.now() + PATIENCE;
  while ((await processesWith(join(runRoot, "pool"))).length === 0) {
    if (performance.now() > deadline) return;
    await setTimeout(50);
  }
  await setTimeout(WARM_UP);
}

/** Ends the daemon that the first command has started: it serves this data root alone. */
async function leave(folder: string): Promise<void> {
  // with the slash: the folder 1 is not the folder 10
  await endProcesses(`${folder}/`);
  const { runRoot } = enginePaths(process.env, join(folder, "data"));
  for (const path of [runRoot, `${runRoot}.sock`]) await rm(path, { recursive: true, force: true });
}

async function refusal(
  { vmm, accel }: DvmBackend,
  cacheDirectory: string,
): Promise<string | undefined> {
  const probe = await probeHost({ cacheDirectory });
  // a KVM that does not run Linux can be forced, and gives no figure that is worth having
  if (accel === "kvm" && !probe.kvm.usable) return `KVM is not usable: ${probe.kvm.reason}`;
  try {
    chooseBackend({ vmm, accel }, probe);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
