/**
 * Goes on where a quick run (`host/cli/quick`) was when it lost its daemon: the container runs on, and the daemon that
 * follows has its output from the begin.
 */

import { parseJson } from "../api/client/daemon-answer.ts";
import { RemoteEngine } from "../api/client/remote-engine.ts";
import { readBySchema } from "../api/docker/schema.ts";
import type { CliContext } from "./command.ts";
import { type LostDaemon, lostDaemon } from "./quick/lost-daemon.ts";
import { progressRenderer } from "./render/progress.ts";
import { tellEnd } from "./render/run-end.ts";
import { ContainerSession } from "./terminal/container-session.ts";

/** @param words what the quick run knows, as JSON @returns exit code of the container's process */
export async function follow([text = ""]: readonly string[], context: CliContext): Promise<number> {
  const { container, autoRemove, proxySignals, signals, ...delivered } = lost(text);
  const { stdout, stderr } = context;
  const progress = progressRenderer({ stderr, verbose: false, quiet: true });
  using session = new ContainerSession({ context, progress, proxySignals, terminal: false });
  const daemon = await context.openDaemon();
  await using engine = new RemoteEngine(daemon, () => {}, context.openDaemon);
  session.engine = engine;
  session.container = container;
  session.running();
  if (proxySignals)
    for (const signal of signals) await engine.kill(container, signal).catch(() => {});
  const streams = { stdout, stderr };
  const exit = await engine.follow(container, { autoRemove, streams, delivered });
  session.ended();
  if (session.givenUp === undefined) tellEnd(exit, (line) => stderr.write(line));
  return session.givenUp ?? exit.exitCode;
}

function lost(text: string): LostDaemon {
  return readBySchema(lostDaemon, parseJson(text));
}
