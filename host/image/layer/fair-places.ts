/** Places that are few, handed out to those who want them in turn: who asks for many keeps nobody from one. */
import { imageError } from "../errors.ts";

/** Somebody who asks for places, told from others by its identity. */
export type Borrower = object;

export class FairPlaces {
  readonly #size: number;
  #taken = 0;
  readonly #held = new Map<Borrower, number>();
  /** who waits; the one that was served last comes last */
  readonly #waiting = new Map<Borrower, Set<() => void>>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Waits for a place. @throws LOAD_CANCELLED as soon as the signal says so */
  async take(borrower: Borrower, signal?: AbortSignal): Promise<void> {
    refuseCancelled(signal);
    if (this.#taken < this.#size) {
      this.#taken++;
      this.#hold(borrower, 1);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#leave(borrower, resolve);
      reject(imageError("LOAD_CANCELLED", "cancelled", { cause: signal?.reason }));
    };
    const mine = this.#waiting.get(borrower) ?? new Set();
    this.#waiting.set(borrower, mine.add(resolve));
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** @returns whether somebody who waited has the place now */
  giveBack(borrower: Borrower): boolean {
    this.#hold(borrower, -1);
    const next = this.#next();
    if (next === undefined) {
      this.#taken--;
      return false;
    }
    const [resolve] = this.#waiting.get(next) ?? [];
    if (resolve === undefined) throw new Error("a borrower that waits for nothing");
    const others = this.#leave(next, resolve);
    this.#waiting.delete(next);
    if (others !== undefined) this.#waiting.set(next, others);
    this.#hold(next, 1);
    resolve();
    return true;
  }

  /** Where several wait, one place at least is left to the others. */
  #next(): Borrower | undefined {
    const most = Math.max(1, this.#size - 1);
    const all = [...this.#waiting.keys()];
    return all.find((each) => (this.#held.get(each) ?? 0) < most) ?? all[0];
  }

  #hold(borrower: Borrower, change: 1 | -1): void {
    const held = (this.#held.get(borrower) ?? 0) + change;
    if (held > 0) this.#held.set(borrower, held);
    else this.#held.delete(borrower);
  }

  /** @returns what else the borrower waits for */
  #leave(borrower: Borrower, waiter: () => void): Set<() => void> | undefined {
    const mine = this.#waiting.get(borrower);
    mine?.delete(waiter);
    if (mine?.size !== 0) return mine;
    this.#waiting.delete(borrower);
    return undefined;
  }
}

/** @throws LOAD_CANCELLED */
export function refuseCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
}
