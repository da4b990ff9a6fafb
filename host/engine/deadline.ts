/** Steps that wait for a guest have an end. */

import { engineError } from "./errors.ts";

export interface DeadlineOptions {
  /** what is awaited, for the message */
  readonly what: string;
  /** most time, in `milliseconds` */
  readonly milliseconds: number;
  /** gives up at once */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits for `work`, whose own failure is handed on.
 *
 * @throws DvmError `STAGE_TIMEOUT` when it takes too long; the signal's reason when it is aborted
 */
export async function withDeadline<T>(work: Promise<T>, options: DeadlineOptions): Promise<T> {
  const { what, milliseconds, signal } = options;
  // nobody hears of it who has been given up on
  work.catch(() => {});
  signal?.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const late = () =>
    reject(engineError("STAGE_TIMEOUT", `${what} took longer than ${milliseconds / 1000} s`));
  const aborted = () => reject(signal?.reason);
  const timer = setTimeout(late, milliseconds);
  signal?.addEventListener("abort", aborted, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  }
}
