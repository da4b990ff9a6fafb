/** How much each client may ask of a name server: the server shares a process with all containers, and one may flood it. */

import { BoundedMap } from "../egress/bounded-map.ts";

/** Questions that are answered at once, and how many more a second. */
const BURST = 1000;
const PER_SECOND = 500;
/** Questions of one client that wait for another server's answer. */
const MAX_PENDING = 128;
/** Most clients that are remembered. */
const MAX_CLIENTS = 4096;

interface Client {
  tokens: number;
  at: number;
  pending: number;
}

export class QuestionLimit {
  readonly #clients = new BoundedMap<string, Client>(MAX_CLIENTS);
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @returns what is disposed of when the question is answered; nothing for one that gets no answer */
  admit(client: string): Disposable | undefined {
    const now = this.#now();
    const known = this.#clients.get(client) ?? { tokens: BURST, at: now, pending: 0 };
    known.tokens = Math.min(BURST, known.tokens + ((now - known.at) / 1000) * PER_SECOND);
    known.at = now;
    this.#clients.set(client, known);
    if (known.tokens < 1 || known.pending >= MAX_PENDING) return undefined;
    known.tokens--;
    known.pending++;
    return { [Symbol.dispose]: () => void known.pending-- };
  }
}
