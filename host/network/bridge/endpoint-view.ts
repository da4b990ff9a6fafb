/**
 * Who is in which network, for those who ask often, as a guest can make them: the files are read again when somebody has
 * come or gone, and now and then for those whose machines have vanished.
 */

import type { Endpoint } from "./endpoint.ts";
import { endpointsChange, lookAtEndpoints } from "./host-state.ts";

/** How long a look is good for, in `milliseconds`. */
const LIFETIME = 100;

interface EndpointViewOptions {
  /** reads them */
  readonly look?: () => readonly Endpoint[];
  /** differs when they have changed */
  readonly change?: () => string;
  readonly now?: () => number;
}

export class EndpointView {
  readonly #look: () => readonly Endpoint[];
  readonly #change: () => string;
  readonly #now: () => number;
  #seen: readonly Endpoint[] = [];
  #at = Number.NEGATIVE_INFINITY;
  #state = "";

  constructor(options: EndpointViewOptions = {}) {
    this.#look = options.look ?? lookAtEndpoints;
    this.#change = options.change ?? endpointsChange;
    this.#now = options.now ?? (() => performance.now());
  }

  current(): readonly Endpoint[] {
    // before the look: what changes meanwhile is seen by the next one
    const state = this.#change();
    const now = this.#now();
    if (state !== this.#state || now - this.#at >= LIFETIME) {
      this.#seen = this.#look();
      this.#state = state;
      this.#at = now;
    }
    return this.#seen;
  }
}
