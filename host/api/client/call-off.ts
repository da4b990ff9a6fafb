/** Work of the daemon that its client can call off, and still hear when it is undone. */

import { randomBytes } from "node:crypto";
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
  const name = randomBytes(16).toString("hex");
  // what cannot be called off is waited for
  const callOff = () => {
    connection.json({ method: "DELETE", path: `/dvm/work/${name}` }).catch(() => {});
  };
  let isOver = false;
  // it may come before there is anything to call off
  const again = setInterval(() => {
    if (signal?.aborted && !isOver) callOff();
  }, AGAIN);
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

/** Between two tries to call off, in `milliseconds`. */
const AGAIN = 200;
