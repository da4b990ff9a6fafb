/** Starts a program of ours that serves a machine's card: it outlives us as the machine does, and ends with it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { networkError } from "../errors.ts";
import { descriptorOf } from "./stream-door.ts";

/** Longest that it takes to serve before it is ended, in `milliseconds`. */
const PATIENCE = 30_000;

export interface ServerProgram {
  /** what errors call it */
  readonly what: string;
  /** module that it runs */
  readonly main: string;
  /** path that it is seen by: whoever sweeps after a crash finds its machine */
  readonly processName: string;
  readonly cwd: string;
  /** what it reads as JSON */
  readonly config: object;
  /** the hypervisor's, its third descriptor; no more the caller's then */
  readonly connection: Socket;
}

/**
 * It serves once this returns; it says so by a line.
 *
 * @throws DvmError `NETWORK_FAILED`
 */
export async function startServer(program: ServerProgram): Promise<Disposable> {
  const { what, main, processName, cwd, config, connection } = program;
  const child = spawn(process.execPath, ["--no-warnings", main], {
    argv0: processName,
    stdio: ["pipe", "pipe", "pipe", descriptorOf(connection)],
    // in a session of its own: no terminal's signal reaches it
    detached: true,
    cwd,
    env: {},
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new TypeError("no pipes");
  // the child has it now
  connection.destroy();
  let complaints = "";
  stderr.on("data", (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-1000);
  });
  stdin.on("error", () => {});
  stdin.end(JSON.stringify(config));
  const over = once(child, "exit").then(() => "over");
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  const said = await Promise.race([once(stdout, "data").then(() => "ready"), over]);
  clearTimeout(late);
  if (said === "over") throw networkError("NETWORK_FAILED", `${what} ended: ${complaints.trim()}`);
  for (const stream of [stdout, stderr]) stream.destroy();
  child.unref();
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}
