/**
 * How many machines boot at a time: more than the processors can carry would make all of them late, the first one
 * too, and a guest that is late is taken for one that hangs.
 */

import { availableParallelism } from "node:os";

export class BootGate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number = availableParallelism() * 2) {
    this.#free = slots;
  }

  /** Waits for a slot, works, gives it back. @throws the signal's reason when it is aborted before */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => {
      const place = this.#waiting.indexOf(resolve);
      // one that has its slot already is aborted by its work
      if (place >= 0) this.#waiting.splice(place, 1);
      reject(signal?.reason);
    };
    this.#waiting.push(resolve);
    signal?.addEventListener("abort", giveUp);
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
