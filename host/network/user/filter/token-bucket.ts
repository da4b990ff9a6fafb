/** Says how long whoever has sent something is to wait before sending more, so that a rate is kept over time. */
export class TokenBucket {
  readonly #bytesPerMillisecond: number;
  readonly #most: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** @param rate in `bits per second` */
  constructor(rate: number, now: () => number = () => performance.now()) {
    this.#bytesPerMillisecond = rate / 8 / 1000;
    this.#most = this.#bytesPerMillisecond * SLACK;
    this.#now = now;
    this.#tokens = this.#most;
    this.#at = now();
  }

  /** Takes `bytes`, which may be more than there are. @returns for how long nothing more is to be taken, in `milliseconds` */
  take(bytes: number): number {
    const now = this.#now();
    const gained = (now - this.#at) * this.#bytesPerMillisecond;
    this.#tokens = Math.min(this.#most, this.#tokens + gained) - bytes;
    this.#at = now;
    return Math.max(0, -this.#tokens / this.#bytesPerMillisecond);
  }
}

/** What was not sent for so long may be made up for at once, in `milliseconds`: timers are late. */
const SLACK = 20;
