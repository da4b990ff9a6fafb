/** Work of the daemon that its client can call off, and still hear when it is undone. */

import { closeSync, openSync, readSync } from "node:fs";
import { CALL_OFF_AGAIN } from "./daemon-answer.ts";
import type { HttpConnection } from "./http-connection.ts";

/**
 * Asks for work under a name that the daemon knows it by (the headers `Dvm-Work` and `Dvm-Events`). An abort calls it
 * off; what the work comes to is waited for even then.
 *
 * @throws the signal's reason when it was called off, else what the work throws
 */
export async function withCallOff<T>(
  connection: HttpConnection,
  signal: AbortSignal | undefined,
  work: (name: string) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const name = randomName();
  // what cannot be called off is waited for
  const callOff = () => {
    connection.json({ method: "DELETE", path: `/dvm/work/${name}` }).catch(() => {});
  };
  let isOver = false;
  // it may come before there is anything to call off
  const again = setInterval(() => {
    if (signal?.aborted && !isOver) callOff();
  }, CALL_OFF_AGAIN);
  signal?.addEventListener("abort", callOff, { once: true });
  try {
    return await work(name);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    isOver = true;
    clearInterval(again);
    signal?.removeEventListener("abort", callOff);
  }
}

/** What nobody guesses; node:crypto would take longer to load than most commands take. */
function randomName(): string {
  const bytes = Buffer.alloc(16);
  const file = openSync("/dev/urandom", "r");
  try {
    readSync(file, bytes);
  } finally {
    closeSync(file);
  }
  return bytes.toString("hex");
}
