/** The command line's entry: finds the command, runs it, prints what went wrong, sets the exit code. */

import { openEngine } from "../api/engine-api.ts";
import type { CliContext } from "./command.ts";
import { runCli } from "./run-cli.ts";

const context: Omit<CliContext, "dataRoot" | "openEngine"> = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
};

// a reader that went away is told by the stream's own users; nobody else minds
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

const exitCode = await runCli(process.argv.slice(2), context, openEngine);

// the client's input may still be open, and would keep the process: what was written goes out first
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(exitCode);

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write("", () => resolve());
  stream.once("close", resolve);
  await promise;
}
