/** docker, where a daemon of Docker's own answers. */

import { runCommand } from "../measure/command.ts";
import { spawned } from "../measure/spawned.ts";
import type { Arm } from "./arm.ts";
import { missingProgram } from "./refusals.ts";

const TAG = "dvm-bench:latest";

export const docker: Arm = {
  name: "docker",
  title: "docker",
  isolation: "namespaces",
  images: "layers",
  how: "docker run --rm by the daemon that DOCKER_HOST names; with a network: its default bridge",
  refusal: async () => (await missingProgram("docker", "skopeo")) ?? noDaemon(),
  async open({ image }) {
    await runCommand("skopeo", ["copy", "--quiet", `oci:${image}`, `docker-daemon:${TAG}`]);
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
        return { command: "docker", args: ["run", ...flags, ...net, TAG, ...words] };
      },
      exec: async (name, words) => ({ command: "docker", args: ["exec", name, ...words] }),
      // the shim of a container has its id among its arguments
      furtherMark: async (name) =>
        (await runCommand("docker", ["inspect", "--format", "{{.Id}}", name])).stdout.trim(),
      remove: (name) => ({ command: "docker", args: ["rm", "--force", name] }),
      async [Symbol.asyncDispose]() {
        await runCommand("docker", ["rmi", TAG]);
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
