/** A token bucket that may be overdrawn by one request: the next one waits until the debt is paid. */

/** How much may be used at once after idle time, as a share of a second. */
const BURST_SECONDS = 0.1;

export class TokenBucket {
  readonly #perMillisecond: number;
  readonly #capacity: number;
  #tokens: number;
  #updated: number;

  /** @param perSecond tokens that flow in per second, @param now monotonic time in `milliseconds` */
  constructor(perSecond: number, now: number) {
    this.#perMillisecond = perSecond / 1000;
    this.#capacity = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#capacity;
    this.#updated = now;
  }

  /** How long to wait until something may be taken, in `milliseconds`; 0 for no longer. */
  delay(now: number): number {
    this.#refill(now);
    return this.#tokens > 0 ? 0 : (1 - this.#tokens) / this.#perMillisecond;
  }

  take(tokens: number): void {
    this.#tokens -= tokens;
  }

  #refill(now: number): void {
    const flowed = (now - this.#updated) * this.#perMillisecond;
    this.#tokens = Math.min(this.#capacity, this.#tokens + flowed);
    this.#updated = now;
  }
}
