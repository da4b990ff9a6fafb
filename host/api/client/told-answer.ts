/** An answer that tells the steps of the engine's work before its result (`answerTold` of the server). */

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { EngineEvent, EventSink } from "../../engine/engine-event.ts";
import { apiError } from "../docker/errors.ts";
import { daemonError, lostDaemon, parseJson } from "./http-connection.ts";

/** Hands the events on. @returns the result's body @throws DvmError the failure */
export async function readToldAnswer(source: Readable, onEvent: EventSink): Promise<unknown> {
  for await (const text of linesOf(source)) {
    const line = parseJson(text);
    if (typeof line !== "object" || line === null) break;
    if ("event" in line) onEvent(readEvent(line.event));
    else if ("failure" in line) {
      const status = "status" in line && typeof line.status === "number" ? line.status : 500;
      throw daemonError(status, JSON.stringify(line.failure));
    } else return "body" in line ? line.body : undefined;
  }
  throw lostDaemon();
}

/** @throws DvmError `DAEMON_UNREACHABLE` when they are cut off */
export async function* linesOf(source: Readable): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: source });
  } catch (cause) {
    throw lostDaemon(cause);
  }
}

/** The daemon is the client's own kind; what it does not know is nothing that it renders. */
function readEvent(value: unknown): EngineEvent {
  if (typeof value === "object" && value !== null && "type" in value) return value as EngineEvent;
  throw apiError("DAEMON_REFUSED", "the daemon told an event that is none");
}
