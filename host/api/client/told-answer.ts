/** An answer that tells the steps of the engine's work before its result (`answerTold` of the server). */

import type { Readable } from "node:stream";
import type { EventSink } from "../../engine/engine-event.ts";
import { lostDaemon, readToldLine } from "./daemon-answer.ts";

/** Hands the events on. @returns the result's body @throws DvmError the failure */
export async function readToldAnswer(source: Readable, onEvent: EventSink): Promise<unknown> {
  for await (const text of linesOf(source)) {
    const line = readToldLine(text);
    if (line.kind === "failure") throw line.error;
    if (line.kind === "result") return line.body;
    onEvent(line.event);
  }
  throw lostDaemon();
}

/** @throws DvmError `DAEMON_UNREACHABLE` when they are cut off */
export async function* linesOf(source: Readable): AsyncGenerator<string> {
  let rest = "";
  try {
    for await (const text of source.setEncoding("utf8")) {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (cause) {
    throw lostDaemon(cause);
  }
  if (rest !== "") yield rest;
}
