/** A container that runs until its holder lets it go. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ContainerOptions, OpenArm } from "../arms/arm.ts";
import { spawned } from "./spawned.ts";

export interface HeldContainer extends AsyncDisposable {
  readonly name: string;
  /** the host's process that the command line became, while it is attached */
  readonly pid: number;
}

const READY = "@ready";

/** Longer than any bench, in `seconds`; ending a container ends it. */
const FOREVER = "1000000";

/** Time for a container to come up or to end, in `milliseconds`. */
const PATIENCE = 120_000;

type HoldOptions = Omit<ContainerOptions, "words" | "interactive" | "detached">;

/** Holds it as its arm's users would: detached where an engine holds it, else attached. */
export async function holdContainer(arm: OpenArm, options: HoldOptions): Promise<HeldContainer> {
  const { remove } = arm;
  if (remove === undefined) return await holdAttached(arm, options);
  await spawned(await arm.run({ ...options, words: ["sleep", FOREVER], detached: true }));
  return {
    name: options.name,
    pid: -1,
    async [Symbol.asyncDispose]() {
      await spawned(remove(options.name));
    },
  };
}

/** It ends when its standard input does. */
async function holdAttached(arm: OpenArm, options: HoldOptions): Promise<HeldContainer> {
  const words = ["sh", "-c", `echo ${READY}; cat >/dev/null`];
  const { command, args, variables } = await arm.run({ ...options, words, interactive: true });
  const env = { ...process.env, ...variables };
  const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {});
  let [said, errors] = ["", ""];
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2000);
  });
  const closed = once(child, "close");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("error", reject);
  child.once("close", (code) => reject(new Error(`${command} ended with ${code}: ${errors}`)));
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes(READY)) resolve();
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  await promise.finally(() => clearTimeout(deadline));
  return {
    name: options.name,
    pid: child.pid ?? -1,
    async [Symbol.asyncDispose]() {
      const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      child.stdin.end();
      await closed;
      clearTimeout(late);
    },
  };
}
