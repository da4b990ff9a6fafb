/** For tests: the API server over the engine in memory, on a socket in a folder of its own. */

import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Caller } from "../../engine/daemon/model.ts";
import { PLAIN_CONFIG } from "../../engine/test-engine.ts";
import { apiRoutes } from "./api-routes.ts";
import { ApiServer } from "./api-server.ts";
import { availableEngine } from "./test-available-engine.ts";
import { TestDaemonEngine } from "./test-engine.ts";

export interface TestServer extends AsyncDisposable {
  readonly engine: TestDaemonEngine;
  readonly path: string;
  readonly plainConfig: typeof PLAIN_CONFIG;
  /** failures that the server did not foresee */
  readonly failures: unknown[];
  /** who the next connections come from; absent: as the kernel says */
  caller: Caller | undefined;
  readonly connect: () => Promise<Socket>;
}

export async function testServer(): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "dvm-api-"));
  const path = join(folder, "dvmd.sock");
  const engine = new TestDaemonEngine();
  const failures: unknown[] = [];
  const own: Caller = { uid: process.getuid?.() ?? 0, gid: 0, pid: process.pid };
  const server = new ApiServer({
    engine: availableEngine(engine),
    routes: apiRoutes,
    version: "0.1.0",
    log: { debug: () => {}, error: ({ ...fields }) => failures.push(fields) },
    identify: () => test.caller ?? own,
  });
  await server.listen(path, 0o600);
  const test: TestServer = {
    engine,
    path,
    plainConfig: PLAIN_CONFIG,
    failures,
    caller: undefined,
    connect: async () => {
      const socket = connect({ path, allowHalfOpen: true });
      await new Promise((resolve) => socket.once("connect", resolve));
      return socket;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return test;
}
