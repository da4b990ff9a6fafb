/** dvm with one of its backends, as a user calls it. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { enginePaths } from "../../host/engine/paths.ts";
import { chooseBackend } from "../../host/vmm/factory.ts";
import { probeHost } from "../../host/vmm/probe.ts";
import { endProcesses } from "../measure/processes.ts";
import { DVM } from "../paths.ts";
import type { Arm } from "./arm.ts";

export interface DvmBackend {
  readonly vmm: "qemu" | "kvm";
  readonly accel: "tcg" | "kvm";
}

export function dvm({ vmm, accel }: DvmBackend, cacheDirectory: string): Arm {
  const qemu = accel === "tcg" ? "QEMU, emulated (TCG)" : "QEMU with KVM";
  return {
    name: vmm === "kvm" ? "dvm-kvm" : `dvm-qemu-${accel}`,
    title: `dvm, ${vmm === "kvm" ? "own VMM with KVM" : qemu}`,
    isolation: "vm",
    images: "layers",
    how: `dvm run --rm --vmm ${vmm} --accel ${accel}, a data root of its own; where dvm works through its daemon, the warm-up has started it; with a network: user (passt)`,
    refusal: () => refusal({ vmm, accel }, cacheDirectory),
    async open({ image, folder }) {
      const call = ["--data-root", join(folder, "data")];
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
          const args = [...call, "run", ...flags, ...net, ...size, `oci:${image}`, ...words];
          return { command: DVM, args };
        },
        exec: async (name, words) => ({ command: DVM, args: [...call, "exec", name, ...words] }),
        remove: (name) => ({ command: DVM, args: [...call, "rm", "--force", name] }),
        [Symbol.asyncDispose]: () => leave(folder),
      };
    },
    pull: (reference, folder) => [
      { command: DVM, args: ["--data-root", join(folder, "data"), "pull", "-q", reference] },
    ],
    leave,
  };
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
