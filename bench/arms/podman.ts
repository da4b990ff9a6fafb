/** podman with its own runtime, in a store of the bench's own. */

import { join } from "node:path";
import { runCommand } from "../measure/command.ts";
import type { Arm } from "./arm.ts";
import { missingProgram } from "./refusals.ts";

/** Limits that a container gets where podman's own default is above what the machine allows. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

export const podman: Arm = {
  name: "podman",
  title: "podman",
  isolation: "namespaces",
  images: "layers",
  how: "podman run --rm (the disk scenario without --rm, under which podman drops every fsync) with podman's own runtime, or runc where that refuses this machine, and its own storage driver; with a network: its default bridge",
  refusal: () => missingProgram("podman"),
  async open({ image, folder }) {
    const plain = storeOf(folder);
    const tag = "localhost/bench:latest";
    let store = plain;
    try {
      const { stdout } = await runCommand("podman", [...store, "pull", "--quiet", `oci:${image}`]);
      await runCommand("podman", [...store, "tag", stdout.trim(), tag]);
      store = [...plain, ...(await runtimeWords(plain, tag))];
    } catch (error) {
      await leave(folder);
      throw error;
    }
    return {
      run: async ({ name, words, network = "none", ...more }) => {
        const flags = [
          // with --rm podman mounts its overlay `volatile`, and fsync does nothing
          ...(more.durable ? [] : ["--rm"]),
          ...["--name", name],
          ...(more.interactive ? ["-i"] : []),
          ...(more.detached ? ["-d"] : []),
          ...LIMITS,
          ...(network === "none" ? ["--network", "none"] : []),
        ];
        return { command: "podman", args: [...store, "run", ...flags, tag, ...words] };
      },
      exec: async (name, words) => ({
        command: "podman",
        args: [...store, "exec", name, ...words],
      }),
      remove: (name) => ({
        command: "podman",
        args: [...store, "rm", "--force", "--time=0", name],
      }),
      async [Symbol.asyncDispose]() {
        // not `system reset`, which takes networks with it that are not the bench's
        await runCommand("podman", [...store, "rm", "--all", "--force"]);
        await runCommand("podman", [...store, "rmi", "--all", "--force"]);
        await leave(folder);
      },
    };
  },
  pull: (reference, folder) => [
    {
      command: "podman",
      args: [...storeOf(folder), "pull", "--quiet", "--tls-verify=false", reference],
    },
  ],
  leave,
};

/** crun, which podman takes first where it is installed, refuses a machine with both versions of control groups. */
async function runtimeWords(store: readonly string[], tag: string): Promise<readonly string[]> {
  const start = [...LIMITS, "--rm", "--network=none", tag, "true"];
  try {
    await runCommand("podman", [...store, "run", ...start]);
    return [];
  } catch (refusal) {
    const runc = ["--runtime", "runc"];
    await runCommand("podman", [...store, ...runc, "run", ...start]).catch(() => {
      throw refusal;
    });
    return runc;
  }
}

/** podman mounts the folder of its layers on itself, and leaves that to the next boot. */
async function leave(folder: string): Promise<void> {
  await runCommand("umount", [join(folder, "s/overlay")]).catch(() => {});
}

function storeOf(folder: string): readonly string[] {
  return ["--log-level=error", "--root", join(folder, "s"), "--runroot", join(folder, "r")];
}
