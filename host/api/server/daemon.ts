/** A daemon from its locks to its last breath. */

import { rmSync } from "node:fs";
import { dirname } from "node:path";
import type { StorageDriver } from "../../engine/container-config.ts";
import { Daemon } from "../../engine/daemon/daemon.ts";
import type { ManagedContainer } from "../../engine/daemon/managed-container.ts";
import type { Caller } from "../../engine/daemon/model.ts";
import { ImageEngine } from "../../engine/images/image-engine.ts";
import { ImageWorker } from "../../engine/images/image-worker.ts";
import { makePrivateFolder } from "../../engine/paths.ts";
import { realParts } from "../../engine/real-parts.ts";
import { apiRoutes } from "./api-routes.ts";
import { ApiServer, type ServerLog } from "./api-server.ts";
import type { DaemonPlaces } from "./daemon-places.ts";
import { whenIdle } from "./idle-watch.ts";
import { imageProgram } from "./image-program.ts";
import { LOCK_NAME } from "./lock-holder.ts";
import { returnMemory } from "./memory-return.ts";
import type { ProgramWatch } from "./program-watch.ts";
import { servedEngine } from "./served-engine.ts";
import { clearSocket, lockInstance, openFolder } from "./single-instance.ts";
import { sweepRunBase } from "./sweep-run-base.ts";
import { tellCaller } from "./told-work.ts";

export interface DaemonLog extends ServerLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface OpenDaemonOptions {
  readonly places: DaemonPlaces;
  /** whether other users may connect */
  readonly shared: boolean;
  /** whether what Docker calls experimental is served */
  readonly experimental?: boolean;
  /** machines that are kept ready; absent: the usual number */
  readonly poolSize?: number | undefined;
  /** of containers that ask for none; absent: the usual one */
  readonly storageDriver?: StorageDriver | undefined;
  /** version of dvm */
  readonly version: string;
  readonly log: DaemonLog;
  /** absent: the daemon stays what it is when dvm is updated */
  readonly program?: ProgramWatch | undefined;
}

export interface OpenedDaemon extends AsyncDisposable {
  /** whether nobody is connected */
  readonly isAlone: () => boolean;
  /** Resolved when nobody has been connected and no container has run for so many `seconds`. */
  readonly whenIdle: (idleTime: number) => Promise<void>;
}

/**
 * Opens the engine and serves it. Disposing of the result takes the socket away, ends what is under way and gives
 * the locks back.
 *
 * @throws DvmError `DAEMON_BUSY` when the data root or the socket is another's
 */
export async function openDaemon(options: OpenDaemonOptions): Promise<OpenedDaemon> {
  const { places, shared, version, log, program, experimental = false } = options;
  await using undo = new AsyncDisposableStack();
  makePrivateFolder(places.dataRoot);
  makePrivateFolder(dirname(places.socket));
  undo.use(lockInstance(`${places.dataRoot}/${LOCK_NAME}`, places.dataRoot));
  undo.use(lockInstance(`${places.socket}.lock`, places.socket));
  undo.use(returnMemory());
  clearSocket(places.socket);
  sweepRunBase(dirname(places.runRoot));
  const daemon = undo.use(
    await Daemon.open({
      paths: places,
      parts: realParts,
      poolSize: options.poolSize,
      storageDriver: options.storageDriver,
      onEvent: (event) => {
        if (event.type === "warning") log.warn(event, "engine");
        else log.debug(event, "engine");
        tellCaller(event);
      },
    }),
  );
  const images = await ImageEngine.open(places.dataRoot);
  const { dataRoot } = places;
  const worker = undo.use(new ImageWorker(imageProgram(), dataRoot));
  const engine = servedEngine({
    daemon,
    experimental,
    images,
    runJob: worker.run,
    version,
    dataRoot,
  });
  const server = undo.use(
    new ApiServer({
      engine,
      experimental,
      routes: apiRoutes,
      version,
      log,
      program,
    }),
  );
  undo.defer(() => rmSync(places.socket, { force: true }));
  await server.listen(places.socket, shared ? 0o666 : 0o600);
  // a folder of the user's own choice is left as it is
  if (shared && dirname(places.socket) === dirname(places.runRoot)) openFolder(places.socket);
  log.info({ socket: places.socket, dataRoot: places.dataRoot, pid: process.pid }, "dvmd serves");
  const all = undo.move();
  return {
    isAlone: () => server.clients === 0,
    whenIdle: (idleTime) =>
      whenIdle({
        clientsGoneSince: () => server.clientsGoneSince,
        isNeeded: () => daemon.list(ROOT).some(isNeeded),
        idleTime,
      }),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  };
}

/** Sees the containers of all. */
const ROOT: Caller = { uid: 0, gid: 0, pid: 0 };

/** Whether it runs, or will again without anybody's asking. */
function isNeeded({ record, config }: ManagedContainer): boolean {
  if (["running", "paused", "restarting"].includes(record.state.status)) return true;
  const { name = "no" } = config.restartPolicy ?? {};
  return name !== "no" && record.state.startedAt !== undefined && record.stoppedByUser !== true;
}
