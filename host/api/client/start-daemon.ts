/** Finds the daemon, and starts it when none runs. */

import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { makePrivateFolder } from "../../engine/paths.ts";
import { DvmError } from "../../errors.ts";
import { apiError } from "../docker/errors.ts";
import { type DaemonPlaces, daemonPlaces, hostPath } from "../server/daemon-places.ts";
import { isAlive, LOCK_NAME, lockHolder } from "../server/lock-holder.ts";
import type { ProgramState } from "../server/program-header.ts";
import { DaemonClient } from "./daemon-client.ts";
import { HttpConnection } from "./http-connection.ts";

export interface ConnectOptions {
  /** folder in place of the usual one */
  readonly dataRoot: string | undefined;
  /** `unix://PATH` of a daemon that runs, in place of `DVM_HOST` */
  readonly host?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** It takes the bundle, or the sources. */
const DVMD = join(PROJECT_ROOT, "bin", "dvmd");
/** How long a daemon may take to serve, in `milliseconds`; Node alone takes seconds on a machine that is busy. */
const START_TIME = 30_000;
/** After the daemon that was started has ended, for another's that was faster, in `milliseconds`. */
const GRACE_TIME = 500;
/** Between two tries, in `milliseconds`. */
const RETRY = 10;
/** How much of the end of the log an error tells, in `bytes`. */
const LOG_TAIL = 2000;
/** After how long without containers and clients a daemon that a client started ends, in `seconds`. */
const IDLE_TIME = 600;

/**
 * A client of the daemon that `DVM_HOST` names, or else of the data root's own, which is started when need be.
 *
 * @throws DvmError `DAEMON_UNREACHABLE`
 */
export async function connectDaemon(options: ConnectOptions): Promise<DaemonClient> {
  const host = options.host ?? options.environment.DVM_HOST;
  if (host !== undefined && host !== "") {
    const client = clientOf(hostPath(host));
    await client.ping();
    return client;
  }
  const places = daemonPlaces({ dataRoot: options.dataRoot }, options.environment);
  return startDaemon(places, options.environment.DVM_IDLE_TIMEOUT || String(IDLE_TIME));
}

/** A client of the daemon that is meant, if there is one: none is started. */
export async function findDaemon(options: ConnectOptions): Promise<DaemonClient | undefined> {
  const host = options.host ?? options.environment.DVM_HOST;
  const { socket } = daemonPlaces({ dataRoot: options.dataRoot }, options.environment);
  const client = clientOf(host ? hostPath(host) : socket);
  if ((await ask(client, "ask")) !== undefined) return client;
  client[Symbol.dispose]();
  return undefined;
}

/**
 * @param idleTime after how long without containers and clients the daemon ends, in `seconds`; absent: never
 * @throws DvmError `DAEMON_UNREACHABLE` with the end of the log of a daemon that would not start
 */
export async function startDaemon(places: DaemonPlaces, idleTime?: string): Promise<DaemonClient> {
  const client = clientOf(places.socket);
  const state = await ask(client, "renew");
  if (state === "current" || state === "old") return client;
  if (state === "renewing" && (await isRenewed(places, client))) return client;
  const logStart = logLength(places.log);
  const deadline = performance.now() + START_TIME;
  let started = await spawnDaemon(places, idleTime);
  while (performance.now() < deadline) {
    await delay(RETRY);
    if ((await ask(client, "ask")) !== undefined) {
      // one that lost the race to another client's would wait in the wings for that one's end
      if (started.child.pid !== holderOf(places)) started.child.kill();
      return client;
    }
    if (started.endedFor() < GRACE_TIME) continue;
    if (!started.saidBusy()) break;
    // another client has started it, or it is about to end
    const holder = holderOf(places);
    if (holder === undefined || !isAlive(holder)) started = await spawnDaemon(places, idleTime);
  }
  client[Symbol.dispose]();
  const isOver = started.endedFor() >= 0;
  const why = isOver ? "it ended" : `nothing at ${places.socket} after ${START_TIME / 1000} s`;
  const said = logTail(places.log, logStart);
  throw apiError("DAEMON_UNREACHABLE", `dvmd could not be started: ${why}${said}`, {
    hint: `its log is ${places.log}`,
  });
}

function holderOf(places: DaemonPlaces): number | undefined {
  const lock = join(places.dataRoot, LOCK_NAME);
  return existsSync(lock) ? lockHolder(lock) : undefined;
}

function clientOf(socket: string): DaemonClient {
  return new DaemonClient(new HttpConnection(socket));
}

/** Undefined when nobody answers. */
async function ask(
  client: DaemonClient,
  asks: Parameters<DaemonClient["program"]>[0],
): Promise<ProgramState | undefined> {
  try {
    return await client.program(asks);
  } catch (error) {
    if (error instanceof DvmError && error.code === "DAEMON_UNREACHABLE") return undefined;
    throw error;
  }
}

/** Waits for a daemon that takes another's place in the same process. @returns whether there is one */
async function isRenewed(places: DaemonPlaces, client: DaemonClient): Promise<boolean> {
  const deadline = performance.now() + START_TIME;
  while (performance.now() < deadline) {
    await delay(RETRY);
    const state = await ask(client, "ask");
    if (state === "current" || state === "old") return true;
    const holder = holderOf(places);
    if (holder === undefined || !isAlive(holder)) return false;
  }
  return false;
}

interface StartedDaemon {
  readonly child: ChildProcess;
  /** for how long it has been over, in `milliseconds`; negative while it runs */
  readonly endedFor: () => number;
  /** whether it ended because another has the data root or the socket */
  readonly saidBusy: () => boolean;
}

/** A session of its own: the daemon outlives the client and the client's terminal. */
async function spawnDaemon(
  places: DaemonPlaces,
  idleTime: string | undefined,
): Promise<StartedDaemon> {
  // there is a daemon mostly, and whoever has one does not wait for this module
  const { spawn } = await import("node:child_process");
  makePrivateFolder(places.dataRoot);
  const start = logLength(places.log);
  const log = openSync(places.log, "a", 0o600);
  const words = ["--host", `unix://${places.socket}`];
  // the usual place has a run root by another rule
  if (basename(places.runRoot) !== "default") words.push("--data-root", places.dataRoot);
  if (idleTime !== undefined) words.push("--idle-timeout", idleTime);
  const child = spawn(DVMD, words, {
    detached: true,
    cwd: "/",
    env: { ...process.env, DVM_NODE: process.execPath },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  let endedAt = Number.POSITIVE_INFINITY;
  const onEnd = () => {
    endedAt = performance.now();
  };
  child.once("error", onEnd);
  child.once("exit", onEnd);
  return {
    child,
    endedFor: () => performance.now() - endedAt,
    saidBusy: () => logTail(places.log, start).includes(" already"),
  };
}

/** @throws DvmError `DAEMON_UNREACHABLE` for a data root of somebody else */
function logLength(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch (cause) {
    throw apiError("DAEMON_UNREACHABLE", `cannot use the data root ${dirname(path)}`, {
      cause,
      hint: "check whose folder it is, or name another by --data-root or DVM_DATA_ROOT",
    });
  }
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
