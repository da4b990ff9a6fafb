/** The last bytes of a stream, in case they turn out to be the head of a new opening. */

import { SYNC_SIZE } from "../protocol/synchroniser.ts";

export class SyncTail {
  #tail = new Uint8Array(0);

  /** Remembers the end of `bytes`. */
  keep(bytes: Uint8Array): void {
    if (bytes.length >= SYNC_SIZE) this.#tail = bytes.slice(1 - SYNC_SIZE);
    else this.#tail = this.before(bytes).slice(1 - SYNC_SIZE);
  }

  /** `bytes` with what came before them. */
  before(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.#tail.length + bytes.length);
    whole.set(this.#tail);
    whole.set(bytes, this.#tail.length);
    return whole;
  }
}
