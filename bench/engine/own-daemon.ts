/** A dvmd of the bench's own, and the command line that speaks to it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { CommandLine } from "../arms/arm.ts";
import { DVM, PROJECT } from "../paths.ts";

export interface OwnDaemon extends AsyncDisposable {
  readonly pid: number;
  readonly dvm: (...words: string[]) => CommandLine;
}

export async function openOwnDaemon(folder: string): Promise<OwnDaemon> {
  const socket = join(folder, "d.sock");
  const dataRoot = join(folder, "data");
  const host = `unix://${socket}`;
  const words = ["--host", host, "--data-root", dataRoot];
  const child = spawn(join(PROJECT, "bin/dvmd"), words, {
    stdio: "ignore",
    env: { ...process.env, DVM_UPDATE: "off" },
  });
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`dvmd ended with ${child.exitCode}`);
    await setTimeout(20);
  }
  return {
    pid: Number(await readFile(join(dataRoot, "dvmd.lock"), "utf8")),
    dvm: (...args) => ({ command: DVM, args: ["--host", host, ...args] }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
