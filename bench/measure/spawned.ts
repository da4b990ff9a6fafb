/** Runs a command as a whole process: when its first byte came, when it ended, and what it said. */

import { spawn } from "node:child_process";
import { basename } from "node:path";
import type { CommandLine } from "../arms/arm.ts";

export interface Spawned {
  /** from spawn to the first byte of its output, in `milliseconds`; absent: it wrote nothing */
  readonly firstByte?: number;
  /** from spawn to its end, in `milliseconds` */
  readonly end: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Last lines of what a program said that an error shows. */
const TAIL = 3;

/** @throws Error with the command's own words when it does not end with 0 */
export async function spawned({ command, args, variables }: CommandLine): Promise<Spawned> {
  const started = performance.now();
  const env = { ...process.env, ...variables };
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  let firstByte: number | undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    firstByte ??= performance.now() - started;
    output.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number | string | null>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve(code ?? signal));
  const code = await promise;
  const end = performance.now() - started;
  const stdout = Buffer.concat(output).toString();
  const stderr = Buffer.concat(errors).toString();
  if (code !== 0) {
    const said = (stderr || stdout).trim().split("\n").slice(-TAIL).join("\n");
    throw new Error(
      `${basename(command)} ended with ${code}: ${said}\n${[command, ...args].join(" ")}`,
    );
  }
  return { ...(firstByte === undefined ? {} : { firstByte }), end, stdout, stderr };
}
