/** Where the first thread that knows why the machine ends leaves the reason for the device thread. */

/** Room for the reason, in `characters` of 16 bits. */
const CAPACITY = 1024;

const CLAIMED = 0;
const LENGTH = 1;
const TEXT = 2;

export class Mailbox {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * (TEXT + CAPACITY))) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Leaves `text`, cut to what fits; false when somebody was first. */
  post(text: string): boolean {
    if (Atomics.compareExchange(this.#words, CLAIMED, 0, 1) !== 0) return false;
    const length = Math.min(text.length, CAPACITY);
    for (let index = 0; index < length; index++) this.#words[TEXT + index] = text.charCodeAt(index);
    Atomics.store(this.#words, LENGTH, length + 1);
    return true;
  }

  /** What was left, or undefined. */
  read(): string | undefined {
    const length = Atomics.load(this.#words, LENGTH) - 1;
    if (length < 0) return undefined;
    return String.fromCharCode(...this.#words.subarray(TEXT, TEXT + length));
  }
}
