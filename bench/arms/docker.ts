/** docker, where a daemon of Docker's own answers. */

import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runCommand } from "../measure/command.ts";
import { processesNamed, processesOf } from "../measure/processes.ts";
import { spawned } from "../measure/spawned.ts";
import type { Arm } from "./arm.ts";
import { missingProgram } from "./refusals.ts";

export const docker: Arm = {
  name: "docker",
  title: "docker",
  isolation: "namespaces",
  images: "layers",
  how: "docker run --rm by the daemon that DOCKER_HOST names; with a network: its default bridge",
  refusal: async () => (await missingProgram("docker", "skopeo")) ?? noDaemon(),
  async open({ image, folder }) {
    const tag = `dvm-bench-${basename(dirname(folder))}-${basename(folder)}:latest`;
    // by docker's own client: it knows contexts and DOCKER_HOST, as skopeo does not
    const archive = join(folder, "image.tar");
    await runCommand("skopeo", [
      "copy",
      "--quiet",
      `oci:${image}`,
      `docker-archive:${archive}:${tag}`,
    ]);
    await runCommand("docker", ["load", "--quiet", "--input", archive]);
    await rm(archive);
    return {
      run: async ({ name, words, network = "none", interactive = false, detached = false }) => {
        const flags = [
          "--rm",
          "--name",
          name,
          ...(interactive ? ["-i"] : []),
          ...(detached ? ["-d"] : []),
        ];
        const net = network === "none" ? ["--network", "none"] : [];
        return { command: "docker", args: ["run", ...flags, ...net, tag, ...words] };
      },
      exec: async (name, words) => ({ command: "docker", args: ["exec", name, ...words] }),
      furtherProcesses: async (name) => {
        // the shim of a container has its id among its arguments
        const { stdout } = await runCommand("docker", ["inspect", "--format", "{{.Id}}", name]);
        return [
          ...(await processesOf(stdout.trim())),
          ...(await processesNamed("dockerd", "containerd")),
        ];
      },
      remove: (name) => ({ command: "docker", args: ["rm", "--force", name] }),
      async [Symbol.asyncDispose]() {
        await runCommand("docker", ["rmi", "--force", tag]);
      },
    };
  },
};

async function noDaemon(): Promise<string | undefined> {
  try {
    const { stdout } = await spawned({
      command: "docker",
      args: ["version", "--format", "{{range .Server.Components}}{{.Name}} {{end}}"],
    });
    // dvmd answers docker's client too, and is measured as what it is
    return /containerd/.test(stdout)
      ? undefined
      : "what answers docker's client is not Docker's daemon";
  } catch {
    return "no Docker daemon answers";
  }
}
