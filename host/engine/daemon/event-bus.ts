/** What happened, told to whoever listens, with a memory of the last few. */

import { nowNanoseconds } from "./clock.ts";
import type { DaemonEvent } from "./model.ts";

/** Events of the past that a late listener can have, as in Docker. */
const KEPT = 256;
/** Events that a listener may be behind; one that does not listen is cut off. */
const MAX_BEHIND = 10_000;

export class EventBus {
  #past: DaemonEvent[] = [];
  readonly #listeners = new Set<(event: DaemonEvent) => void>();

  emit(event: Omit<DaemonEvent, "time">): void {
    const whole = { ...event, time: nowNanoseconds() };
    this.#past.push(whole);
    if (this.#past.length > KEPT) this.#past = this.#past.slice(-KEPT);
    for (const listener of this.#listeners) listener(whole);
  }

  /** Those of the past since `since`, then those to come, until `until` or the signal. */
  async *events(options: {
    readonly since?: bigint;
    readonly until?: bigint;
    readonly signal: AbortSignal;
  }): AsyncGenerator<DaemonEvent> {
    const { since, until, signal } = options;
    const waiting = since === undefined ? [] : this.#past.filter(({ time }) => time >= since);
    let wake = () => {};
    const listener = (event: DaemonEvent) => {
      waiting.push(event);
      wake();
    };
    this.#listeners.add(listener);
    const abort = () => wake();
    signal.addEventListener("abort", abort);
    try {
      while (!signal.aborted && waiting.length <= MAX_BEHIND) {
        const next = waiting.shift();
        if (until !== undefined && (next?.time ?? nowNanoseconds()) > until) return;
        if (next !== undefined) {
          yield next;
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        if (signal.aborted) return;
        // set anew each time: a timer may ring a moment early, and has an upper bound
        const late = until === undefined ? undefined : setTimeout(resolve, remaining(until));
        await promise;
        clearTimeout(late);
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", abort);
    }
  }
}

/** Until a moment, in `milliseconds`; a timer takes no more than 31 bits. */
function remaining(until: bigint): number {
  const milliseconds = Number((until - nowNanoseconds()) / 1_000_000n) + 1;
  return Math.max(0, Math.min(milliseconds, 2 ** 31 - 1));
}
