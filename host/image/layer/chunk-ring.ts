/**
 * Bytes on their way from one thread to another through memory that both see: one thread writes, one reads, and
 * nothing is allocated or sent for a chunk. The reader sleeps in the kernel when there is nothing; the writer, which
 * may have other work, awaits room.
 */

/** Memory of a ring, which passes to another thread in a message. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly bytes: SharedArrayBuffer;
}

/** Most bytes under way, a power of two, since positions wrap at 2³². */
const CAPACITY = 1024 * 1024;
/** Most bytes that the reader gets at once: what it has is room for the writer only when it asks for more. */
const READ_BYTES = 256 * 1024;

/** Places in the control memory: bytes written and read so far, modulo 2³²; a count of news for the reader; flags. */
const CONTROL = { written: 0, read: 1, news: 2, ended: 3, cancelled: 4 } as const;
const CONTROL_BYTES = 32;

/** Makes a ring. @param bytes those of a ring that both ends have left */
export function ringMemory(bytes = new SharedArrayBuffer(CAPACITY)): RingMemory {
  return { control: new SharedArrayBuffer(CONTROL_BYTES), bytes };
}

/** The end that writes. */
export class RingWriter {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.bytes);
  }

  /** Copies bytes in, as there comes room for them. @returns whether all are in; `false` once the ring is cancelled */
  async write(chunk: Uint8Array): Promise<boolean> {
    for (let at = 0; at < chunk.length; ) {
      if (Atomics.load(this.#control, CONTROL.cancelled) !== 0) return false;
      const written = Atomics.load(this.#control, CONTROL.written);
      const read = Atomics.load(this.#control, CONTROL.read);
      const room = CAPACITY - ((written - read) >>> 0);
      if (room === 0) {
        await Atomics.waitAsync(this.#control, CONTROL.read, read).value;
        continue;
      }
      const place = (written >>> 0) % CAPACITY;
      const length = Math.min(chunk.length - at, room, CAPACITY - place);
      this.#bytes.set(chunk.subarray(at, at + length), place);
      at += length;
      Atomics.store(this.#control, CONTROL.written, (written + length) | 0);
      this.#tell();
    }
    return true;
  }

  /** Says that no more will come. */
  end(): void {
    Atomics.store(this.#control, CONTROL.ended, 1);
    this.#tell();
  }

  /** Has the reader fail at its next read, and a write that waits for room give up. */
  cancel(): void {
    Atomics.store(this.#control, CONTROL.cancelled, 1);
    this.#tell();
    Atomics.notify(this.#control, CONTROL.read);
  }

  #tell(): void {
    Atomics.add(this.#control, CONTROL.news, 1);
    Atomics.notify(this.#control, CONTROL.news);
  }
}

/** The end that reads, on a thread that may sleep. */
export class RingReader {
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  #held = 0;

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory.control);
    this.#bytes = new Uint8Array(memory.bytes);
  }

  get cancelled(): boolean {
    return Atomics.load(this.#control, CONTROL.cancelled) !== 0;
  }

  /** Sleeps until there are bytes. @returns bytes that stay until the next call; `undefined` at the end or when cancelled */
  next(): Uint8Array | undefined {
    if (this.#held > 0) {
      Atomics.add(this.#control, CONTROL.read, this.#held);
      Atomics.notify(this.#control, CONTROL.read);
      this.#held = 0;
    }
    for (;;) {
      const news = Atomics.load(this.#control, CONTROL.news);
      if (this.cancelled) return undefined;
      // Asked before the bytes are counted: what came before the end is not to be missed.
      const ended = Atomics.load(this.#control, CONTROL.ended) !== 0;
      const read = Atomics.load(this.#control, CONTROL.read);
      const filled = (Atomics.load(this.#control, CONTROL.written) - read) >>> 0;
      if (filled > 0) {
        const place = (read >>> 0) % CAPACITY;
        this.#held = Math.min(filled, CAPACITY - place, READ_BYTES);
        return this.#bytes.subarray(place, place + this.#held);
      }
      if (ended) return undefined;
      Atomics.wait(this.#control, CONTROL.news, news);
    }
  }
}
