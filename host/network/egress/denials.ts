/** What containers were refused by their egress policies, for whoever listens in this process. */

import { BoundedMap } from "./bounded-map.ts";

/** One thing that was refused. */
export interface Denial {
  /** id of the container */
  readonly container: string;
  /** address or name */
  readonly destination: string;
  /** `tcp`, `udp`, `icmp`, `icmpv6`, `dns`, or the protocol's number */
  readonly protocol: string;
  readonly port?: number;
  /** why, where it is not only that the policy has no such entry */
  readonly reason?: string;
}

type Listener = (denial: Denial) => void;

/** Denials that are told at once, and how many more a second, of each container: a guest can ask as often as it likes. */
const BURST = 20;
const PER_SECOND = 2;
/** The same denial again within this time is not told, in `milliseconds`. */
const SAME_AGAIN = 10_000;
/** Most containers and denials that are remembered. */
const MAX_REMEMBERED = 4096;

/** Passes denials on, as few of each container as a reader can stand. */
export class Denials {
  readonly #listeners = new Set<Listener>();
  readonly #budgets = new BoundedMap<string, { tokens: number; at: number }>(MAX_REMEMBERED);
  readonly #last = new BoundedMap<string, number>(MAX_REMEMBERED);
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  listen(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  report(denial: Denial): void {
    const { container, destination, protocol, port } = denial;
    const now = this.#now();
    const what = `${container} ${protocol} ${destination} ${port}`;
    if (now - (this.#last.get(what) ?? Number.NEGATIVE_INFINITY) < SAME_AGAIN) return;
    if (!this.#spend(container, now)) return;
    this.#last.set(what, now);
    for (const listener of this.#listeners) listener(denial);
  }

  #spend(container: string, now: number): boolean {
    const { tokens, at } = this.#budgets.get(container) ?? { tokens: BURST, at: now };
    const left = Math.min(BURST, tokens + ((now - at) / 1000) * PER_SECOND);
    const fits = left >= 1;
    this.#budgets.set(container, { tokens: fits ? left - 1 : left, at: now });
    return fits;
  }
}

/** Those of this process. */
export const denials = new Denials();
