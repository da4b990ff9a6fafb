/**
 * Splits a zstd stream at its frame borders (RFC 8878 §3.1). Node's decompressor drops what follows a frame within
 * one chunk, and layers of several frames are common (zstd:chunked, pzstd), so no chunk may hold a border inside.
 */

const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;
/** Largest window taken, as a power of two: 128 MiB, zstd's own default for decompression. */
export const MAX_ZSTD_WINDOW_LOG = 27;

type State =
  | { readonly at: "magic" | "descriptor" | "block-header"; readonly need: number }
  | { readonly at: "header"; readonly need: number; readonly descriptor: number }
  | { readonly at: "skip-length"; readonly need: 4 };

/**
 * Yields the frames' bytes, each chunk within one frame; skippable frames are left out.
 * @throws {Error} for bytes that are no frame, a frame that is cut off, and a window past the limit
 */
export async function* zstdFrames(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const scanner = new FrameScanner();
  for await (const chunk of input) yield* scanner.scan(chunk);
  scanner.end();
}

class FrameScanner {
  #state: State = { at: "magic", need: 4 };
  #field = Buffer.alloc(16);
  #have = 0;
  /** bytes of the current block or skippable frame still to pass */
  #pass = 0;
  #skipping = false;
  #lastBlock = false;
  #checksum = false;

  *scan(chunk: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#pass > 0) {
        const step = Math.min(this.#pass, chunk.length - at);
        this.#pass -= step;
        at += step;
        if (this.#skipping) start = at;
        if (this.#pass > 0) break;
        if (this.#skipping || this.#lastBlock) {
          if (at > start) yield chunk.subarray(start, at);
          start = at;
          this.#beginFrame();
        }
        continue;
      }
      while (this.#have < this.#state.need && at < chunk.length)
        this.#field[this.#have++] = chunk[at++] ?? 0;
      if (this.#have < this.#state.need) break;
      this.#have = 0;
      const magic = this.#advance();
      if (this.#skipping) start = at;
      if (magic !== undefined) {
        // The magic was held back until it was known not to be a skippable frame's.
        yield magic;
        start = at;
      }
      if (this.#pass === 0 && this.#lastBlock) {
        if (at > start) yield chunk.subarray(start, at);
        start = at;
        this.#beginFrame();
      }
      if (this.#state.at === "magic") start = at;
    }
    const held = this.#state.at === "magic" || this.#skipping;
    if (!held && chunk.length > start) yield chunk.subarray(start);
  }

  end(): void {
    if (this.#state.at !== "magic" || this.#have > 0 || this.#pass > 0)
      throw new Error("unexpected end of file");
  }

  #beginFrame(): void {
    this.#state = { at: "magic", need: 4 };
    this.#skipping = false;
    this.#lastBlock = false;
  }

  /** Takes the field that is complete; returns the magic number's bytes when they are to be passed on. */
  #advance(): Buffer | undefined {
    const state = this.#state;
    switch (state.at) {
      case "magic":
        return this.#magic();
      case "skip-length":
        this.#pass = this.#field.readUInt32LE(0);
        if (this.#pass === 0) this.#beginFrame();
        return undefined;
      case "descriptor":
        this.#descriptor(this.#field[0] ?? 0);
        return undefined;
      case "header":
        this.#checkWindow(state.descriptor);
        this.#state = { at: "block-header", need: 3 };
        return undefined;
      case "block-header":
        this.#block(this.#field.readUIntLE(0, 3));
        return undefined;
    }
  }

  #magic(): Buffer | undefined {
    const magic = this.#field.readUInt32LE(0);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      this.#skipping = true;
      this.#state = { at: "skip-length", need: 4 };
      return undefined;
    }
    if (magic !== ZSTD_MAGIC) throw new Error("garbage where a frame should begin");
    this.#state = { at: "descriptor", need: 1 };
    return Buffer.from(this.#field.subarray(0, 4));
  }

  /** Frame_Header_Descriptor, RFC 8878 §3.1.1.1.1. */
  #descriptor(descriptor: number): void {
    const singleSegment = (descriptor & 0x20) !== 0;
    const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    this.#checksum = (descriptor & 4) !== 0;
    const need = (singleSegment ? 0 : 1) + dictionary + contentSize;
    this.#state = need === 0 ? { at: "block-header", need: 3 } : { at: "header", need, descriptor };
  }

  /** Window_Descriptor, RFC 8878 §3.1.1.1.2. A single segment's window is its content, which the decompressor bounds. */
  #checkWindow(descriptor: number): void {
    if ((descriptor & 0x20) !== 0) return;
    const log = 10 + ((this.#field[0] ?? 0) >> 3);
    if (log > MAX_ZSTD_WINDOW_LOG) throw new Error(`window of 2^${log} bytes is too large`);
  }

  /** Block_Header, RFC 8878 §3.1.1.2; the checksum counts as the end of the last block. */
  #block(header: number): void {
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) throw new Error("reserved block type");
    this.#lastBlock = (header & 1) !== 0;
    this.#pass = type === RLE_BLOCK ? 1 : header >> 3;
    if (this.#lastBlock && this.#checksum) this.#pass += 4;
  }
}
