/**
 * How two sides find a common start in a byte stream that may hold the rest of an earlier conversation.
 *
 * The host opens with 32 bytes: a fixed magic and a nonce of its own. The guest answers with the same 32 bytes.
 * Each side drops all that comes before the other's.
 */

export const SYNC_SIZE = 32;
const NONCE_SIZE = 16;

/** the magic: a byte that no frame header starts a valid type with, and a name */
const MAGIC = [0xff, 0xfe, 0xfd, 0xfc, ...[..."dvm-protocol"].map((c) => c.charCodeAt(0))];

/** The host's opening. @param nonce 16 random bytes */
export function syncOpening(nonce: Uint8Array): Uint8Array {
  if (nonce.length !== NONCE_SIZE)
    throw new RangeError(`nonce of ${nonce.length} bytes, wanted ${NONCE_SIZE}`);
  return Uint8Array.from([...MAGIC, ...nonce]);
}

/** Looks for an opening: any (the guest's side), or the answer to one's own (the host's side). */
export class SyncSearch {
  readonly #wanted: readonly number[];
  readonly #found: number[] = [];
  /** whether this side answers what it finds */
  readonly answering: boolean;

  constructor(answerTo?: Uint8Array) {
    this.answering = answerTo === undefined;
    this.#wanted = answerTo === undefined ? MAGIC : [...answerTo];
  }

  /** Takes a piece; when the opening is complete, gives it and what follows it. */
  search(
    piece: Uint8Array,
  ): { readonly opening: Uint8Array; readonly rest: Uint8Array } | undefined {
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] ?? 0;
      const wanted = this.#wanted[this.#found.length];
      this.#found.push(byte);
      // What was there before matches already; looking at all of it for each byte would take the guest a millisecond.
      if (wanted !== undefined && wanted !== byte) this.#dropUntilPrefix();
      if (this.#found.length === SYNC_SIZE) {
        return { opening: Uint8Array.from(this.#found), rest: piece.subarray(i + 1) };
      }
    }
    return undefined;
  }

  #dropUntilPrefix(): void {
    const matches = () =>
      this.#found.every((byte, at) => at >= this.#wanted.length || byte === this.#wanted[at]);
    while (!matches()) this.#found.shift();
  }
}
