/** The buffer that an image is written through: filled front to back, emptied whenever it is nearly full. */

/** In `bytes`; half of it is more than the largest piece that is written at once. */
const CAPACITY = 1024 * 1024;

export class BlockBuffer {
  readonly bytes: Buffer = Buffer.alloc(CAPACITY);
  readonly view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, CAPACITY);
  /** place in the image of the buffer's first byte */
  #start = 0;
  #used = 0;

  /** place in the image of the next byte */
  get position(): number {
    return this.#start + this.#used;
  }

  /** whether the buffer should be emptied before the next piece */
  get nearlyFull(): boolean {
    return this.#used > CAPACITY / 2;
  }

  /** Takes the next `length` zero bytes, to be filled by the caller; returns where they lie in `bytes`. */
  reserve(length: number): number {
    const at = this.#used;
    if (at + length > CAPACITY) throw new RangeError(`piece of ${length} bytes in a full buffer`);
    this.#used += length;
    return at;
  }

  /** Leaves zeros up to `position` of the image. */
  skipTo(position: number): void {
    this.reserve(position - this.position);
  }

  /** Writes a binary string. */
  text(at: number, text: string): void {
    this.bytes.write(text, at, "latin1");
  }

  /** Writes a 64-bit number given as a double; negative ones in two's complement. */
  uint64(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32) >>> 0, true);
  }

  /** What has been written; valid until `empty`. */
  get filled(): Uint8Array {
    return this.bytes.subarray(0, this.#used);
  }

  /** Makes room: what was in the buffer has been taken care of. */
  empty(): void {
    this.bytes.fill(0, 0, this.#used);
    this.#start += this.#used;
    this.#used = 0;
  }
}
