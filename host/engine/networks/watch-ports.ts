/** Looks again and again where a machine of the host's network listens, and has the host listen there too. */

import type { RequestOf } from "#protocol";
import type { Reply } from "../../agent/agent-client.ts";
import type { GuestListener, PortFollower, PublishedPort } from "../../network/prepared-network.ts";
import { isForRoot } from "./check-port-rights.ts";

export interface PortWatchOptions {
  /** uid of whose machine it is: a daemon of root's gives others no port that is root's */
  readonly owner: number;
  readonly follower: PortFollower;
  readonly ask: (request: RequestOf<"machine.listeners">) => Promise<Pick<Reply, "listeners">>;
  readonly onChange: (ports: readonly PublishedPort[]) => void;
  /** why a port of the guest's does not become one of the host's */
  readonly onRefusal: (text: string) => void;
}

/** Between two looks, in `milliseconds`. */
const LOOK_EVERY = 500;

export class PortWatch implements Disposable {
  readonly #options: PortWatchOptions;
  /** ports of root's that were told of */
  readonly #forRoot = new Set<number>();
  /** why the last look that failed did */
  #complaint: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: PortWatchOptions) {
    this.#options = options;
    void this.#look();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  /** The machine keeps its ports for the next daemon. */
  release(): void {
    this[Symbol.dispose]();
    this.#options.follower.release();
  }

  async #look(): Promise<void> {
    const { follower, ask, onChange, onRefusal } = this.#options;
    try {
      const { listeners = [] } = await ask({ type: "machine.listeners", held: follower.held });
      if (this.#ended) return;
      const { isChanged, refusals } = await follower.follow(
        listeners.filter((each) => this.#mayHave(each)),
      );
      if (isChanged) onChange(follower.ports);
      for (const refusal of refusals) onRefusal(refusal);
    } catch (error) {
      // a guest that does not answer may do so later; the end of one ends this
      const { message } = error as Error;
      if (!this.#ended && message !== this.#complaint) onRefusal(message);
      this.#complaint = message;
    }
    if (!this.#ended) this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY).unref();
  }

  #mayHave({ port }: GuestListener): boolean {
    const { owner, onRefusal } = this.#options;
    if (!isForRoot(port, owner)) return true;
    if (!this.#forRoot.has(port)) onRefusal(`port ${port} of the host is for root alone`);
    this.#forRoot.add(port);
    return false;
  }
}
