/**
 * The watchdog of the machine, an IB700 (drivers/watchdog/ib700wdt.c of Linux; it has no other specification): writing
 * one port starts it, or starts it anew, with the time until it bites; writing the other stops it. The words are shared:
 * a vCPU's thread serves the ports, the device thread counts the time.
 */

/** Stops it, whatever is written. */
export const WATCHDOG_STOP_PORT = 0x441;
/** Starts it; the low four bits are the time, from 0 for 30 seconds to 15 for none, in steps of 2 seconds. */
export const WATCHDOG_START_PORT = 0x443;
const LONGEST = 30_000;
const STEP = 2000;
/** No time at all is some time here, in `milliseconds`. */
const SHORTEST = 100;

/** in `milliseconds`; 0: stopped */
const PERIOD = 0;
/** how often it was started */
const STARTS = 1;
/** how often it was stopped */
const STOPS = 2;
const WORDS = 3;

export class Watchdog {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Serves a write to the port that starts it; whether the device thread needs to hear of it. */
  start(value: number): boolean {
    const period = Math.max(SHORTEST, LONGEST - STEP * (value & 0xf));
    Atomics.add(this.#words, STARTS, 1);
    return Atomics.exchange(this.#words, PERIOD, period) === 0;
  }

  stop(): void {
    Atomics.store(this.#words, PERIOD, 0);
    Atomics.add(this.#words, STOPS, 1);
  }

  get period(): number {
    return Atomics.load(this.#words, PERIOD);
  }

  /** As one that was saved with this period. */
  set period(milliseconds: number) {
    Atomics.store(this.#words, PERIOD, Math.min(LONGEST, Math.max(0, milliseconds)));
  }

  /** The guest was held still: its time begins anew. */
  renew(): void {
    Atomics.add(this.#words, STARTS, 1);
  }

  get starts(): number {
    return Atomics.load(this.#words, STARTS);
  }

  get stops(): number {
    return Atomics.load(this.#words, STOPS);
  }
}
