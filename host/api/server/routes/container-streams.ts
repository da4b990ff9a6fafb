/** A container's streams: attach, logs, and its counters as a stream. */

import { setTimeout as delay } from "node:timers/promises";
import type {
  ContainerView,
  LogEntry,
  LogRequest,
  StatsSample,
} from "../../../engine/daemon/model.ts";
import { engineError } from "../../../engine/errors.ts";
import { apiError } from "../../docker/errors.ts";
import { logDetails } from "../../docker/log-details.ts";
import { emptyStatsJson, statsJson } from "../../docker/stats-json.ts";
import { piece, STDERR, STDOUT } from "../../docker/stdcopy.ts";
import { nanosecondTime, parseTime } from "../../docker/time-text.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";
import { streamSession, streamType } from "../stream-session.ts";

export const containerStreamRoutes: readonly Route[] = [
  { method: "POST", pattern: "/containers/{id}/attach", hijacks: true, handle: attach },
  { method: "GET", pattern: "/containers/{id}/logs", handle: logs },
  { method: "GET", pattern: "/containers/{id}/stats", handle: stats },
];

/** Between two samples, in `milliseconds`. */
const STATS_INTERVAL = 1000;

async function attach(call: ApiCall): Promise<void> {
  const { engine, caller, query } = call;
  const view = await call.container();
  const { status } = view.state;
  if (status === "paused") {
    throw conflict(`container ${view.id} is paused, unpause the container before attach`);
  }
  if (status === "restarting") {
    throw conflict(`container ${view.id} is restarting, wait until the container is running`);
  }
  const stream = query.flag("stream");
  await streamSession({
    call,
    terminal: view.config.terminal,
    wants: {
      stdin: stream && query.flag("stdin") && view.config.openStdin,
      stdout: query.flag("stdout"),
      stderr: query.flag("stderr"),
    },
    detachKeys: query.text("detachKeys"),
    join: (streams) =>
      engine.attach(view.id, caller, { streams, logs: query.flag("logs"), stream }),
  });
}

async function logs(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const request = logRequest(call);
  const view = await call.container();
  if (view.config.log?.driver === "none") {
    throw apiError("UNSUPPORTED", "configured logging driver does not support reading");
  }
  const { terminal } = view.config;
  const timestamps = query.flag("timestamps");
  const details = query.flag("details") ? logDetails(view.config) : undefined;
  const source = engine.logs(view.id, caller, request);
  reply.begin(streamType(call, terminal));
  for await (const entry of source)
    await reply.write(logPiece(entry, { terminal, timestamps, details }));
  reply.end();
}

function logRequest({ query, signal }: ApiCall): LogRequest {
  const stdout = query.flag("stdout");
  const stderr = query.flag("stderr");
  if (!(stdout || stderr)) {
    throw apiError("BAD_REQUEST", "Bad parameters: you must choose at least one stream");
  }
  const now = Date.now();
  const since = parseTime("since", query.text("since"), now);
  const until = parseTime("until", query.text("until"), now);
  // anything but a number stands for all, as in Docker
  const tail = /^\d{1,15}$/.test(query.text("tail")) ? Number(query.text("tail")) : undefined;
  return {
    stdout,
    stderr,
    follow: query.flag("follow"),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(tail === undefined ? {} : { tail }),
    signal,
  };
}

function logPiece(
  { stream, time, bytes }: LogEntry,
  how: {
    readonly terminal: boolean;
    readonly timestamps: boolean;
    /** absent: not asked for */
    readonly details: string | undefined;
  },
): Uint8Array {
  const before = `${how.timestamps ? `${nanosecondTime(time)} ` : ""}${how.details === undefined ? "" : `${how.details} `}`;
  const line = before === "" ? bytes : Buffer.concat([Buffer.from(before), bytes]);
  return how.terminal ? line : piece(stream === "stderr" ? STDERR : STDOUT, line);
}

/** Without `one-shot` a single answer has two samples, from which a client computes the use of the CPU. */
async function stats(call: ApiCall): Promise<void> {
  const { query, reply, signal } = call;
  const stream = query.flagOr("stream", true);
  const oneShot = query.flag("one-shot");
  if (stream && oneShot) {
    throw apiError("BAD_REQUEST", "cannot have stream=true and one-shot=true");
  }
  const view = await call.container();
  let before: StatsSample | undefined;
  if (!stream) {
    before = oneShot ? undefined : await sampleOf(call, view);
    if (before !== undefined) await delay(STATS_INTERVAL, undefined, { signal });
    const sample = await sampleOf(call, view);
    reply.json(200, sample ? statsJson(view, sample, before) : emptyStatsJson(view));
    return;
  }
  reply.begin("application/json");
  for (;;) {
    const sample = await sampleOf(call, view);
    const value = sample ? statsJson(view, sample, before) : emptyStatsJson(view);
    await reply.write(`${JSON.stringify(value)}\n`);
    before = sample;
    await delay(STATS_INTERVAL, undefined, { signal });
  }
}

/** A container that does not run has none. @throws DvmError `NO_SUCH_CONTAINER` once it is removed */
async function sampleOf(call: ApiCall, { id }: ContainerView): Promise<StatsSample | undefined> {
  const { state } = await call.container(id);
  if (state.status !== "running" && state.status !== "paused") return undefined;
  try {
    return await call.engine.stats(id, call.caller);
  } catch (error) {
    // it has ended just now
    if (error instanceof Error && "code" in error && error.code === "WRONG_STATE") return undefined;
    throw error;
  }
}

function conflict(message: string): Error {
  return engineError("WRONG_STATE", message);
}
