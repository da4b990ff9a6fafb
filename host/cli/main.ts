/** The command line's entry: finds the command, runs it, prints what went wrong, sets the exit code. */

import type { CliContext } from "./command.ts";
import { type Doors, runCli } from "./run-cli.ts";

const context: Omit<CliContext, "dataRoot" | "host" | "openDaemon"> = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
};

// Node would open its debugger at this one
process.on("SIGUSR1", () => {});

// a reader that went away is told by the stream's own users; nobody else minds
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

const doors: Doors = {
  openDaemon: async (options) => {
    const { connectDaemon } = await import("../api/client/start-daemon.ts");
    return connectDaemon(options);
  },
};
void main();

async function main(): Promise<void> {
  const exitCode = await runCli(process.argv.slice(2), context, doors);
  // the client's input may still be open, and would keep the process: what was written goes out first
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(exitCode);
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write("", () => resolve());
  stream.once("close", resolve);
  await promise;
}
