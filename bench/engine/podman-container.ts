/** A container of podman's in a store of its own, to run commands in. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { CommandLine } from "../arms/arm.ts";
import { IMAGES } from "../paths.ts";

export interface PodmanContainer extends AsyncDisposable {
  readonly command: (...words: string[]) => CommandLine;
}

/** Limits where podman's own default is above what the machine may allow. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

export async function openPodman(folder: string, name: string): Promise<PodmanContainer> {
  const store = ["--root", join(folder, "podman"), "--runroot", join(folder, "podman-run")];
  const command = (...words: string[]) => ({ command: "podman", args: [...store, ...words] });
  const image = `oci:${join(IMAGES, "busybox")}:latest`;
  const flags = ["-d", "--rm", "--network", "none", "--name", name, ...LIMITS];
  await quiet(command("run", ...flags, image, "sleep", "1000000"));
  return {
    command,
    async [Symbol.asyncDispose]() {
      await quiet(command("rm", "--force", "--time=0", name));
    },
  };
}

/** Runs a command without its output: what it leaves running may hold that. @returns how long, in `milliseconds` */
export async function quiet({ command, args }: CommandLine): Promise<number> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit code ${code}`);
  return performance.now() - started;
}
