/** The command line's entry: finds the command, runs it, prints what went wrong, sets the exit code. */

import { fstatSync, writeSync } from "node:fs";
import { type Doors, runCli } from "./run-cli.ts";

const STDOUT = 1;

/** Those of the process's output streams that were asked for: Node takes some milliseconds to make one. */
const used = new Set<NodeJS.WriteStream>();

const world = {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return output(process.stdout);
  },
  get stderr() {
    return output(process.stderr);
  },
  environment: process.env,
  printHelp,
};

// Node would open its debugger at this one
process.on("SIGUSR1", () => {});

const doors: Doors = {
  openDaemon: async (options) => {
    const { connectDaemon } = await import("../api/client/start-daemon.ts");
    return connectDaemon(options);
  },
};
void main();

async function main(): Promise<void> {
  const exitCode = await runCli(process.argv.slice(2), world, doors);
  // the client's input may still be open, and would keep the process: what was written goes out first
  await Promise.all([...used].map(flushed));
  process.exit(exitCode);
}

/** A reader that went away is told by the stream's own users; nobody else minds. */
function output(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (!used.has(stream)) stream.on("error", () => {});
  used.add(stream);
  return stream;
}

/** Where there is no terminal to ask for its width, the text needs no stream. */
function printHelp(render: (columns: number | undefined) => string): void {
  if (fstatSync(STDOUT).isCharacterDevice()) {
    world.stdout.write(render(world.stdout.columns));
    return;
  }
  const text = Buffer.from(render(undefined));
  let written = 0;
  try {
    while (written < text.length) written += writeSync(STDOUT, text, written);
  } catch {
    // a pipe that is full and does not block, or that nobody reads: as with all output
    world.stdout.write(text.subarray(written));
  }
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || stream.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write("", () => resolve());
  stream.once("close", resolve);
  await promise;
}
