/**
 * A file that is written from its start to its end, with holes for long zeros. The bytes go to the disk and not by way
 * of the page cache, where copying them takes as long as inflating them, and where they would have to be waited for at
 * the end. Of two buffers one is filled while the other is written.
 */
import {
  closeSync,
  constants,
  fdatasync,
  write as fsWrite,
  ftruncateSync,
  openSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { pageAlignedBuffer } from "../../sys/aligned-buffer.ts";

/** What is gathered before it is written, in `bytes`. */
const BUFFER_BYTES = 1024 * 1024;
/** Filled so far, a buffer has no room for what another chunk may bring, in `bytes`. */
const NEARLY_FULL = BUFFER_BYTES / 2;
/** Zeros of this length, aligned to it, are left out of the file, in `bytes`. */
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

type WriteArguments = [fd: number, buffer: Buffer, offset: number, length: number, at: number];

/** What of node:fs writes the file. */
export interface FileCalls {
  readonly openSync: (path: string, flags: number, mode: number) => number;
  readonly writeSync: (...words: WriteArguments) => number;
  readonly write: (...words: WriteArguments) => Promise<{ readonly bytesWritten: number }>;
}

const CALLS: FileCalls = { openSync, writeSync, write: promisify(fsWrite) };

/** Bytes of a buffer on their way to a place in the file. */
interface Part {
  readonly buffer: Buffer;
  readonly from: number;
  readonly to: number;
  /** place of the buffer's start, in `bytes` */
  readonly start: number;
}

export class DirectFile implements AsyncDisposable {
  readonly #path: string;
  readonly #calls: FileCalls;
  /** all that were opened: one that another took the place of may have a write under way */
  readonly #opened: number[] = [];
  #fd: number;
  #isDirect = true;
  // O_DIRECT wants memory, places and lengths aligned: whoever fills the file ends it on a page.
  #buffer = pageAlignedBuffer(BUFFER_BYTES);
  #other = pageAlignedBuffer(BUFFER_BYTES);
  /** the writing of the other buffer; it never rejects */
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #filled = 0;
  /** place in the file where the buffer begins, a multiple of BUFFER_BYTES so that holes line up */
  #start = 0;

  constructor(path: string, calls: FileCalls = CALLS) {
    this.#path = path;
    this.#calls = calls;
    this.#fd = this.#open();
  }

  /** Bytes taken so far: the place where the next byte goes. */
  get length(): number {
    return this.#start + this.#filled;
  }

  put(bytes: Buffer, from: number, length: number): void {
    for (let at = from; at < from + length; ) {
      const step = Math.min(from + length - at, BUFFER_BYTES - this.#filled);
      bytes.copy(this.#buffer, this.#filled, at, at + step);
      at += step;
      this.#fill(step);
    }
  }

  zeros(length: number): void {
    for (let left = length; left > 0; ) {
      const step = Math.min(left, BUFFER_BYTES - this.#filled);
      this.#buffer.fill(0, this.#filled, this.#filled + step);
      left -= step;
      this.#fill(step);
    }
  }

  /** What to wait for before more is put; `undefined`: nothing. Who does not wait has the disk wait in between. */
  get room(): Promise<void> | undefined {
    return this.#filled < NEARLY_FULL ? undefined : this.#writing;
  }

  /** Writes what is left, and makes it last. @returns length of the file, a multiple of a page, in `bytes` */
  async finish(): Promise<number> {
    const { length } = this;
    await this.#writing;
    this.#flush();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
    ftruncateSync(this.#fd, length);
    await promisify(fdatasync)(this.#fd);
    return length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    for (const fd of this.#opened.splice(0)) closeSync(fd);
    for (const { buffer } of [this.#buffer, this.#other])
      if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
  }

  #fill(length: number): void {
    this.#filled += length;
    if (this.#filled === BUFFER_BYTES) this.#flush();
  }

  #flush(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const parts = [...partsWithData(this.#buffer, this.#filled, this.#start)];
    this.#start += this.#filled;
    this.#filled = 0;
    if (this.#writing !== undefined) {
      for (const part of parts) this.#writeNow(part);
      return;
    }
    if (parts.length === 0) return;
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    this.#writing = this.#writeAll(parts).then(
      () => {
        this.#writing = undefined;
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#writing = undefined;
      },
    );
  }

  async #writeAll(parts: readonly Part[]): Promise<void> {
    for (const { buffer, from, to, start } of parts)
      for (let at = from; at < to; ) {
        const fd = this.#fd;
        try {
          const written = await this.#calls.write(fd, buffer, at, to - at, start + at);
          at += written.bytesWritten;
        } catch (error) {
          this.#giveUpDirect(fd, error);
        }
      }
  }

  #writeNow({ buffer, from, to, start }: Part): void {
    for (let at = from; at < to; ) {
      const fd = this.#fd;
      try {
        at += this.#calls.writeSync(fd, buffer, at, to - at, start + at);
      } catch (error) {
        this.#giveUpDirect(fd, error);
      }
    }
  }

  #open(): number {
    const { O_WRONLY, O_CREAT, O_EXCL, O_DIRECT } = constants;
    try {
      return this.#keep(O_WRONLY | O_CREAT | O_EXCL | O_DIRECT);
    } catch (error) {
      if (!isInvalid(error)) throw error;
      this.#isDirect = false;
      // Some file systems find out after they have made the file.
      return this.#keep(O_WRONLY | O_CREAT);
    }
  }

  #keep(flags: number): number {
    const fd = this.#calls.openSync(this.#path, flags, 0o600);
    this.#opened.push(fd);
    return fd;
  }

  /** For a file system that wants a coarser alignment than a page. @throws every other failure of a write */
  #giveUpDirect(fd: number, error: unknown): void {
    if (!isInvalid(error)) throw error;
    if (fd !== this.#fd) return;
    if (!this.#isDirect) throw error;
    this.#isDirect = false;
    this.#fd = this.#keep(constants.O_WRONLY);
  }
}

/** The parts of a buffer between long zeros. */
function* partsWithData(buffer: Buffer, filled: number, start: number): Generator<Part> {
  let from = 0;
  for (let at = 0; at < filled; at += HOLE_BYTES) {
    const end = Math.min(at + HOLE_BYTES, filled);
    const isHole = buffer[at] === 0 && buffer.compare(ZEROS, 0, end - at, at, end) === 0;
    if (!isHole) continue;
    if (at > from) yield { buffer, from, to: at, start };
    from = end;
  }
  if (filled > from) yield { buffer, from, to: filled, start };
}

/** What open(2) and write(2) answer where O_DIRECT is not to be had. */
function isInvalid(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EINVAL";
}
