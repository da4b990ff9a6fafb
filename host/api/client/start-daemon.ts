/** Finds the daemon, and starts it when none runs. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { DvmError } from "../../errors.ts";
import { apiError } from "../docker/errors.ts";
import { type DaemonPlaces, daemonPlaces, hostPath } from "../server/daemon-places.ts";
import { LOCK_NAME, lockHolder } from "../server/lock-holder.ts";
import { DaemonClient } from "./daemon-client.ts";
import { HttpConnection } from "./http-connection.ts";

export interface ConnectOptions {
  /** folder in place of the usual one */
  readonly dataRoot: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** How long a daemon may take to serve, in `milliseconds`; Node alone takes seconds on a machine that is busy. */
const START_TIME = 30_000;
/** After the daemon that was started has ended, for another's that was faster, in `milliseconds`. */
const GRACE_TIME = 3_000;
/** Between two tries, in `milliseconds`. */
const RETRY = 10;
/** How much of the end of the log an error tells, in `bytes`. */
const LOG_TAIL = 2000;

/**
 * A client of the daemon that `DVM_HOST` names, or else of the data root's own, which is started when need be.
 *
 * @throws DvmError `DAEMON_UNREACHABLE`
 */
export async function connectDaemon(options: ConnectOptions): Promise<DaemonClient> {
  const host = options.environment.DVM_HOST;
  if (host !== undefined && host !== "") {
    const client = clientOf(hostPath(host));
    await client.ping();
    return client;
  }
  const places = daemonPlaces({ dataRoot: options.dataRoot }, options.environment);
  return startDaemon(places);
}

/** @throws DvmError `DAEMON_UNREACHABLE` with the end of the log of a daemon that would not start */
export async function startDaemon(places: DaemonPlaces): Promise<DaemonClient> {
  const client = clientOf(places.socket);
  if (await answers(client)) return client;
  const logStart = logLength(places.log);
  const child = spawnDaemon(places);
  let deadline = performance.now() + START_TIME;
  let isOver = false;
  const onEnd = () => {
    isOver = true;
    deadline = Math.min(deadline, performance.now() + GRACE_TIME);
  };
  child.once("error", onEnd);
  child.once("exit", onEnd);
  while (performance.now() < deadline) {
    await delay(RETRY);
    if (!(await answers(client))) continue;
    // one that lost the race to another client's would wait in the wings for that one's end
    if (child.pid !== lockHolder(`${places.dataRoot}/${LOCK_NAME}`)) child.kill();
    return client;
  }
  client[Symbol.dispose]();
  const why = isOver ? "it ended" : `nothing at ${places.socket} after ${START_TIME / 1000} s`;
  const said = logTail(places.log, logStart);
  throw apiError("DAEMON_UNREACHABLE", `dvmd could not be started: ${why}${said}`, {
    hint: `its log is ${places.log}`,
  });
}

function clientOf(socket: string): DaemonClient {
  return new DaemonClient(new HttpConnection(socket));
}

async function answers(client: DaemonClient): Promise<boolean> {
  try {
    await client.ping();
    return true;
  } catch (error) {
    if (error instanceof DvmError && error.code === "DAEMON_UNREACHABLE") return false;
    throw error;
  }
}

/** A session of its own: the daemon outlives the client and the client's terminal. */
function spawnDaemon(places: DaemonPlaces): ChildProcess {
  mkdirSync(dirname(places.log), { recursive: true, mode: 0o700 });
  const log = openSync(places.log, "a", 0o600);
  const main = join(PROJECT_ROOT, "host", "api", "server", "dvmd.ts");
  const words = ["--host", `unix://${places.socket}`, "--data-root", places.dataRoot];
  const child = spawn(process.execPath, ["--no-warnings", "--disable-sigusr1", main, ...words], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  return child;
}

function logLength(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** What the log got since `start`, as the end of a sentence. */
function logTail(path: string, start: number): string {
  const length = Math.min(logLength(path) - start, LOG_TAIL);
  if (length <= 0) return "";
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(length);
    const end = logLength(path);
    const count = readSync(file, bytes, 0, length, end - length);
    return `: ${bytes.subarray(0, count).toString("utf8").trim()}`;
  } finally {
    closeSync(file);
  }
}
