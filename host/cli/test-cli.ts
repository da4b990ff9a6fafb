/** For tests: calls of the command line over an API server of the same process. */

import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { DaemonClient } from "../api/client/daemon-client.ts";
import { HttpConnection } from "../api/client/http-connection.ts";
import { runCli } from "./run-cli.ts";

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Calls dvm; `input` is all of its standard input. */
export async function callCli(
  server: { readonly path: string },
  words: readonly string[],
  input: string | Uint8Array = "",
): Promise<CliResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const output = Promise.all([text(stdout), text(stderr)]);
  const world = { stdin, stdout, stderr, environment: { HERE: "given" } };
  const code = await runCli(words, world, {
    openDaemon: async () => new DaemonClient(new HttpConnection(server.path)),
  });
  stdout.end();
  stderr.end();
  const [out, err] = await output;
  return { code, out, err };
}
