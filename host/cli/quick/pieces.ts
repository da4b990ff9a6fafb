/** Several streams in one (`stdcopy.ts`): takes them apart as they come. */

const HEADER = 8;
/** What went wrong in the daemon after the headers were sent, as text. */
export const SYSTEM_ERROR = 3;

export class Pieces {
  readonly #header = new Uint8Array(HEADER);
  #filled = 0;
  #left = 0;

  /** Hands on what there is of each piece, in order. @returns what was not taken since `take` said that it is full */
  push(bytes: Uint8Array, take: (stream: number, bytes: Uint8Array) => boolean): Uint8Array {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const count = Math.min(HEADER - this.#filled, rest.length);
        this.#header.set(rest.subarray(0, count), this.#filled);
        this.#filled += count;
        rest = rest.subarray(count);
        if (this.#filled < HEADER) break;
        this.#left = new DataView(this.#header.buffer).getUint32(4);
        if (this.#left === 0) this.#filled = 0;
        continue;
      }
      const count = Math.min(this.#left, rest.length);
      const isFull = take(this.#header[0] ?? 0, rest.subarray(0, count));
      this.#left -= count;
      rest = rest.subarray(count);
      if (this.#left === 0) this.#filled = 0;
      if (isFull) break;
    }
    return rest;
  }
}
