/** What a daemon's words mean: failures as errors, and the lines of an answer that is told step by step. */

import type { EngineEvent } from "../../engine/engine-event.ts";
import { DvmError } from "../../errors.ts";
import { apiError } from "../docker/errors.ts";

/** Version of the API that the client speaks; a daemon of the same dvm knows it. */
export const CLIENT_VERSION = "1.47";

/** Between two tries to call work off, in `milliseconds`: the first may come before there is anything. */
export const CALL_OFF_AGAIN = 200;

/** The error as the daemon threw it; of a daemon that is not ours there is only the message. */
export function daemonError(status: number, text: string): DvmError {
  const body = parseObject(text);
  const message = typeof body.message === "string" ? body.message : `status ${status}`;
  const code = typeof body.code === "string" ? body.code : "DAEMON_REFUSED";
  const exitCode = typeof body.exitCode === "number" ? body.exitCode : 125;
  const hint = typeof body.hint === "string" ? { hint: body.hint } : {};
  return new DvmError(code, message, { exitCode, ...hint });
}

export function lostDaemon(cause?: unknown): DvmError {
  const details = cause === undefined ? {} : { cause };
  return apiError("DAEMON_UNREACHABLE", "dvmd ended in the middle of its work", details);
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw apiError("DAEMON_REFUSED", "the daemon's answer is not JSON", { cause });
  }
}

/** A line of an answer that tells the steps of the engine's work before its result (`answerTold` of the server). */
export type ToldLine =
  | { readonly kind: "event"; readonly event: EngineEvent }
  | { readonly kind: "failure"; readonly error: DvmError }
  | { readonly kind: "result"; readonly body: unknown };

/** @throws DvmError `DAEMON_REFUSED`, `DAEMON_UNREACHABLE` for what is no such line */
export function readToldLine(text: string): ToldLine {
  const line = parseJson(text);
  if (typeof line !== "object" || line === null) throw lostDaemon();
  if ("event" in line) return { kind: "event", event: readEvent(line.event) };
  if (!("failure" in line)) return { kind: "result", body: "body" in line ? line.body : undefined };
  const status = "status" in line && typeof line.status === "number" ? line.status : 500;
  return { kind: "failure", error: daemonError(status, JSON.stringify(line.failure)) };
}

/** The daemon is the client's own kind; what it does not know is nothing that it renders. */
function readEvent(value: unknown): EngineEvent {
  if (typeof value === "object" && value !== null && "type" in value) return value as EngineEvent;
  throw apiError("DAEMON_REFUSED", "the daemon told an event that is none");
}
