/** Runs a command as a whole process and measures it. */

import { spawn } from "node:child_process";

export interface CommandResult {
  /** from spawn to the end of output, in `milliseconds` */
  readonly milliseconds: number;
  readonly stdout: string;
}

/** @throws Error with the command's own words when it does not end with 0 */
export async function runCommand(command: string, args: readonly string[]): Promise<CommandResult> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", reject);
  child.on("close", resolve);
  const code = await promise;
  const milliseconds = performance.now() - started;
  if (code !== 0) {
    throw new Error(
      `${command} ${args.join(" ")}: exit code ${code}\n${Buffer.concat(errors).toString()}`,
    );
  }
  return { milliseconds, stdout: Buffer.concat(output).toString() };
}
