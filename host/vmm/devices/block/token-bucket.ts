/** Token buckets that may be overdrawn by one request: the next one waits until the debt is paid. */

import type { DiskLimits, RateLimit } from "../../hypervisor.ts";

/** How much may be used at once after idle time, as a share of a second. */
const BURST_SECONDS = 0.1;
/** No limit: finite, so that no time at all brings nothing. */
const UNLIMITED = Number.MAX_VALUE;

/** What disks that are limited together share: buckets for reads and for writes. */
export class DiskLimiter {
  readonly read: RateLimiter;
  readonly write: RateLimiter;

  /** @param now monotonic time in `milliseconds`, as below */
  constructor({ read, write }: DiskLimits, now: number) {
    this.read = new RateLimiter(read, now);
    this.write = new RateLimiter(write, now);
  }
}

/** The buckets of one direction: for operations and for bytes. */
class RateLimiter {
  readonly #operations: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor({ operationsPerSecond, bytesPerSecond }: RateLimit = {}, now: number) {
    this.#operations = new TokenBucket(operationsPerSecond ?? UNLIMITED, now);
    this.#bytes = new TokenBucket(bytesPerSecond ?? UNLIMITED, now);
  }

  /** How long the next operation is to wait, in `milliseconds`; 0 for no longer. */
  delay(now: number): number {
    return Math.max(this.#operations.delay(now), this.#bytes.delay(now));
  }

  /** Counts an operation. */
  take(bytes: number): void {
    this.#operations.take(1);
    this.#bytes.take(bytes);
  }
}

class TokenBucket {
  readonly #perMillisecond: number;
  readonly #capacity: number;
  #tokens: number;
  #updated: number;

  constructor(perSecond: number, now: number) {
    this.#perMillisecond = perSecond / 1000;
    this.#capacity = Math.max(1, perSecond * BURST_SECONDS);
    this.#tokens = this.#capacity;
    this.#updated = now;
  }

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
