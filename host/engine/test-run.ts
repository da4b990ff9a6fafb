/** For tests and benches: a container of a daemon in this process, run with a client at its streams. */

import type { ContainerExit } from "./container-exit.ts";
import type { ClientStreams } from "./daemon/client-attachment.ts";
import type { Daemon } from "./daemon/daemon.ts";
import type { Caller, DaemonContainerConfig } from "./daemon/model.ts";

export const OWN_USER: Caller = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  pid: process.pid,
};

export interface AttachedRun {
  readonly id: string;
  /** settles when its output was handed over, and it is gone if it is to be removed */
  readonly ended: Promise<ContainerExit>;
}

const never = new AbortController().signal;

/** Resolves when its process runs. @throws DvmError for a start that failed, when it is gone if it is to be removed */
export async function runAttached(
  daemon: Daemon,
  config: DaemonContainerConfig,
  streams: ClientStreams = {},
): Promise<AttachedRun> {
  const container = await daemon.create(config, OWN_USER, never);
  const attachment = container.streams.attach(streams, { logs: false, stream: true });
  const settled = (condition: "next-exit" | "removed") =>
    container.wait({ condition, signal: never, onWaiting: () => {} });
  const exit = settled("next-exit");
  const gone = config.autoRemove ? settled("removed") : undefined;
  try {
    await container.start();
  } catch (error) {
    await gone;
    throw error;
  }
  const ended = exit.then(async (end) => {
    await attachment.done;
    await gone;
    return end;
  });
  return { id: container.id, ended };
}
