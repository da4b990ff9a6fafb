/**
 * Work that a client may call off and still hear when it is undone, by a name that it makes up and sends in the header
 * `Dvm-Work`; and work of the engine whose steps it wants to hear of, by the header `Dvm-Events`, whose answer is a line
 * of JSON for each event, and a last one with the result or the failure. Docker's clients do not ask for any of it, and
 * get the plain answer.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { EngineEvent } from "../../engine/engine-event.ts";
import { apiError } from "../docker/errors.ts";
import type { ApiCall } from "./api-call.ts";
import type { Route } from "./router.ts";
import { errorBody, statusOf } from "./status.ts";

/** Name of the header, as Node spells it. */
export const EVENTS_HEADER = "dvm-events";
const WORK_HEADER = "dvm-work";
/** What a client may call its work: nothing that could be guessed. */
const WORK_NAME = /^[0-9a-f]{32}$/;

/** Of what a slow client has not read, in `bytes`: beyond it passing states and the guest's own words are left out. */
const MAX_BEHIND = 1 << 20;

/** Who listens to what is done on behalf of a call. */
const listeners = new AsyncLocalStorage<(event: EngineEvent) => void>();

/** Hands an event of the engine to the call in which it comes about, if that listens. */
export function tellCaller(event: EngineEvent): void {
  listeners.getStore()?.(event);
}

/** Work that is under way, by the name that its client gave it. */
const underWay = new Map<string, AbortController>();

export const toldWorkRoutes: readonly Route[] = [
  { method: "DELETE", pattern: "/dvm/work/{name}", handle: callOff },
];

/** Whoever knows the name may: it is nothing that could be guessed. */
async function callOff(call: ApiCall): Promise<void> {
  const reason = apiError("BAD_REQUEST", "the client called it off");
  underWay.get(call.parameter("name"))?.abort(reason);
  call.reply.empty(204);
}

/** Does work whose signal is aborted when the client has gone, or calls the work off. */
export async function callable<T>(
  { request, signal }: ApiCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const name = request.headers[WORK_HEADER];
  if (typeof name !== "string" || !WORK_NAME.test(name)) return work(signal);
  const cancel = new AbortController();
  underWay.set(name, cancel);
  try {
    return await work(AbortSignal.any([signal, cancel.signal]));
  } finally {
    underWay.delete(name);
  }
}

export interface Answer {
  readonly status: number;
  /** absent: none */
  readonly body?: unknown;
}

/** Does the work and answers. What it throws is the answer too. */
export async function answerTold(
  call: ApiCall,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<void> {
  const { request, reply } = call;
  const name = request.headers[EVENTS_HEADER];
  if (typeof name !== "string" || !WORK_NAME.test(name)) {
    const { status, body } = await work(call.signal);
    if (body === undefined) reply.empty(status);
    else reply.json(status, body);
    return;
  }
  reply.begin("application/x-ndjson");
  let isOver = false;
  const cancel = new AbortController();
  underWay.set(name, cancel);
  const listen = (event: EngineEvent) => {
    // what a guest says has no end of itself
    const passes = event.type === "log" || (event.type === "progress" && event.passing);
    if (isOver || (passes && reply.behind > MAX_BEHIND)) return;
    // a client that has gone is told by the call's signal
    reply.write(`${JSON.stringify({ event })}\n`).catch(() => {});
  };
  try {
    const { status, body } = await listeners.run(listen, () =>
      work(AbortSignal.any([call.signal, cancel.signal])),
    );
    await reply.write(`${JSON.stringify({ status, body })}\n`);
  } catch (error) {
    if (call.signal.aborted) throw error;
    const failure = errorBody(error);
    await reply.write(`${JSON.stringify({ status: statusOf(error), failure })}\n`);
  } finally {
    isOver = true;
    underWay.delete(name);
  }
  reply.end();
}
