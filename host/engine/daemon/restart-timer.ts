/** The time between a container's end and its restart by its policy. */

import { setTimeout as delay } from "node:timers/promises";
import { restartDelay } from "./restart-policy.ts";

export class RestartTimer {
  #delay = 0;
  #pending: AbortController | undefined;

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Calls `restart` later, unless it is called off. @param ranFor in `milliseconds` */
  set(ranFor: number, restart: () => Promise<void>): void {
    this.#delay = restartDelay(this.#delay, ranFor);
    const pending = new AbortController();
    this.#pending = pending;
    const { signal } = pending;
    delay(this.#delay, undefined, { signal }).then(
      () => restart(),
      () => {},
    );
  }

  /** It is over: restarted, or called off. */
  clear(): void {
    this.#pending?.abort();
    this.#pending = undefined;
  }

  /** A user has started it: the next restart is the first again. */
  reset(): void {
    this.clear();
    this.#delay = 0;
  }
}
