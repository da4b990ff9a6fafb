/** For tests: a real daemon over a fake hypervisor, served on a socket. */

import { join } from "node:path";
import { apiRoutes } from "../api/server/api-routes.ts";
import { ApiServer } from "../api/server/api-server.ts";
import { servedEngine } from "../api/server/served-engine.ts";
import { tellCaller } from "../api/server/told-work.ts";
import { Daemon } from "../engine/daemon/daemon.ts";
import { ImageEngine } from "../engine/images/image-engine.ts";
import type { RunJob } from "../engine/images/image-worker.ts";
import { runImageJob } from "../engine/images/run-image-job.ts";
import type { TestEngine } from "../engine/test-engine.ts";

export interface TestDaemon extends AsyncDisposable {
  /** of its socket */
  readonly path: string;
}

/** Serves what an engine over fake parts is made from. */
export async function testDaemon(test: TestEngine): Promise<TestDaemon> {
  await using undo = new AsyncDisposableStack();
  const { paths, parts, deadlines } = test.options;
  const { dataRoot } = paths;
  const daemon = undo.use(
    await Daemon.open({ paths, parts, onEvent: tellCaller, ...(deadlines ? { deadlines } : {}) }),
  );
  const images = await ImageEngine.open(dataRoot);
  const runJob: RunJob = (uid, job, options) => runImageJob(images.for(uid), job, options);
  const engine = servedEngine({ daemon, images, runJob, version: "0.1.0", dataRoot });
  const server = undo.use(
    new ApiServer({
      engine,
      routes: apiRoutes,
      version: "0.1.0",
      log: { debug: () => {}, error: () => {} },
    }),
  );
  const path = join(dataRoot, "dvmd.sock");
  await server.listen(path, 0o600);
  const all = undo.move();
  return { path, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}
