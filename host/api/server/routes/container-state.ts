/** What makes a container run, pause and end, and waiting for that. */

import type { ContainerExit } from "../../../engine/container-exit.ts";
import type { ContainerView, StopOptions } from "../../../engine/daemon/model.ts";
import { engineError } from "../../../engine/errors.ts";
import { resourceFields, restartPolicyBody } from "../../docker/create-body.ts";
import { discardedLimits } from "../../docker/discarded-limits.ts";
import { apiError } from "../../docker/errors.ts";
import { readResources, readRestartPolicy } from "../../docker/read-create.ts";
import { object, optional, readBySchema } from "../../docker/schema.ts";
import { signalNumber } from "../../docker/signal-number.ts";
import { refuseUnsupportedResources } from "../../docker/unsupported.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";
import { errorBody } from "../status.ts";
import { answerTold } from "../told-work.ts";

export const containerStateRoutes: readonly Route[] = [
  { method: "POST", pattern: "/containers/{id}/start", handle: start },
  { method: "POST", pattern: "/containers/{id}/stop", handle: stop },
  { method: "POST", pattern: "/containers/{id}/restart", handle: restart },
  { method: "POST", pattern: "/containers/{id}/kill", handle: kill },
  { method: "POST", pattern: "/containers/{id}/pause", handle: pause },
  { method: "POST", pattern: "/containers/{id}/unpause", handle: unpause },
  { method: "POST", pattern: "/containers/{id}/wait", handle: wait },
  { method: "POST", pattern: "/containers/{id}/resize", handle: resize },
  { method: "POST", pattern: "/containers/{id}/update", handle: update },
  { method: "GET", pattern: "/containers/{id}/top", handle: top },
];

const CONDITIONS = ["not-running", "next-exit", "removed"] as const;
/** Longest body that some clients send with `start`, `{}` and a line feed, in `bytes` (moby postContainersStart). */
const EMPTY_BODY = 7;

async function start(call: ApiCall): Promise<void> {
  const { request, engine, caller } = call;
  if (Number(request.headers["content-length"] ?? 0) > EMPTY_BODY) {
    throw apiError(
      "BAD_REQUEST",
      "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
    );
  }
  const view = await call.container();
  if (view.state.status === "paused") {
    throw conflict("cannot start a paused container, try unpause instead");
  }
  const checkpoint = call.query.given("checkpoint");
  if (checkpoint !== undefined) return startFrom(call, view.id, checkpoint);
  await answerTold(call, async () => ({
    status: (await engine.start(view.id, caller)) ? 204 : 304,
  }));
}

/** In dockerd's words (moby daemon/start.go). */
async function startFrom(call: ApiCall, container: string, checkpoint: string): Promise<void> {
  const snapshots = call.engine.snapshots();
  if (!snapshots.hasCheckpoints) {
    throw apiError("BAD_REQUEST", "checkpoint is only supported in experimental mode");
  }
  if (call.query.given("checkpoint-dir") !== undefined) {
    throw apiError("UNSUPPORTED", "custom checkpointdir is not supported: dvmd keeps checkpoints");
  }
  await answerTold(call, async () => {
    await snapshots.startFrom(container, checkpoint);
    return { status: 204 };
  });
}

async function stop(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const view = await call.container();
  reply.empty((await engine.stop(view.id, caller, stopOptions(call))) ? 204 : 304);
}

async function restart(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const view = await call.container();
  await engine.restart(view.id, caller, stopOptions(call));
  reply.empty(204);
}

function stopOptions({ query }: ApiCall): StopOptions {
  const signal = query.given("signal");
  const timeout = query.integer("t");
  return {
    ...(signal === undefined ? {} : { signal: signalNumber(signal) }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

async function kill(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const signal = signalNumber(query.given("signal") ?? "SIGKILL");
  const view = await call.container();
  if (!["running", "paused", "restarting"].includes(view.state.status)) {
    const name = call.parameter("id");
    throw conflict(`cannot kill container: ${name}: container ${view.id} is not running`);
  }
  await engine.kill(view.id, caller, signal);
  reply.empty(204);
}

async function pause(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const view = await call.container();
  if (view.state.status === "paused") throw conflict(`container ${view.id} is already paused`);
  checkRunning(view);
  await engine.pause(view.id, caller);
  reply.empty(204);
}

async function unpause(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const view = await call.container();
  if (view.state.status !== "paused") throw conflict(`container ${view.id} is not paused`);
  await engine.unpause(view.id, caller);
  reply.empty(204);
}

/** The headers go out once nothing can be missed: a client starts the container when it has them. */
async function wait(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply, signal } = call;
  const text = query.given("condition") ?? "not-running";
  const condition = CONDITIONS.find((known) => known === text);
  if (condition === undefined) {
    throw apiError("BAD_REQUEST", `invalid condition: ${JSON.stringify(text.slice(0, 100))}`);
  }
  const view = await call.container();
  const onWaiting = () => reply.begin("application/json");
  try {
    const end = await engine.wait(view.id, caller, { condition, signal, onWaiting });
    onWaiting();
    await reply.write(endLine(end));
  } catch (error) {
    if (!reply.begun || signal.aborted) throw error;
    await reply.write(
      `${JSON.stringify({ StatusCode: 125, Error: { Message: errorBody(error).message } })}\n`,
    );
  }
  reply.end();
}

/** What Docker's clients do not know they leave out. */
function endLine({ exitCode, oomKilled, error }: ContainerExit): string {
  const failure = error === undefined ? {} : { Error: { Message: error } };
  const memory = oomKilled ? { OOMKilled: true } : {};
  return `${JSON.stringify({ StatusCode: exitCode, ...memory, ...failure })}\n`;
}

async function resize(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const size = terminalSize(call);
  const view = await call.container();
  checkRunning(view);
  await engine.resize(view.id, caller, size);
  reply.empty(200);
}

/** `h` and `w` of the query. @throws DvmError `BAD_REQUEST` */
export function terminalSize({ query }: ApiCall): { rows: number; columns: number } {
  const [rows = 0, columns = 0] = [query.integer("h"), query.integer("w")];
  for (const side of [rows, columns]) {
    if (side < 0 || side > 0xffff) {
      throw apiError("BAD_REQUEST", `invalid size of a terminal: ${rows} by ${columns}`);
    }
  }
  return { rows, columns };
}

const updateBody = object({ ...resourceFields, RestartPolicy: optional(restartPolicyBody) });

async function update(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const body = readBySchema(updateBody, await call.json());
  refuseUnsupportedResources(body);
  const view = await call.container();
  const policy = body.RestartPolicy;
  const warnings = await engine.update(view.id, caller, {
    resources: readResources(body),
    ...(policy === undefined || policy.Name === ""
      ? {}
      : { restartPolicy: readRestartPolicy(policy, view.config.autoRemove) }),
  });
  reply.json(200, { Warnings: [...warnings, ...discardedLimits(body)] });
}

async function top(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const view = await call.container();
  checkRunning(view);
  const words = (query.given("ps_args") ?? "-ef").split(/\s+/).filter((word) => word !== "");
  const { titles, rows } = await engine.top(view.id, caller, words);
  reply.json(200, { Titles: titles, Processes: rows });
}

function checkRunning({ id, state }: ContainerView): void {
  if (state.status === "restarting") {
    throw conflict(`container ${id} is restarting, wait until the container is running`);
  }
  if (state.status !== "running" && state.status !== "paused") {
    throw conflict(`container ${id} is not running`);
  }
}

function conflict(message: string): Error {
  return engineError("WRONG_STATE", message);
}
