/** Writes the file data of a layer into one file: each file's runs begin on a page, and zeros become holes. */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { DataRun } from "../../rootfs/entry.ts";
import type { SparseSegment } from "./sparse-map.ts";

/** Alignment of runs: the block of EROFS and the page of the guest, in `bytes`. */
export const PAGE = 4096;
/** What is gathered before it is written, in `bytes`. */
const BUFFER_BYTES = 1024 * 1024;
/** Zeros of this length, aligned to it, are left out of the file, in `bytes`. */
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** Where bytes of the stream came to stand in the data file. */
export interface StoredPiece {
  /** start in the data file, in `bytes` */
  readonly offset: number;
  readonly length: number;
}

/** The data file while it is written. */
export class DataFile implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;
  /** place in the file where the buffer begins, a multiple of BUFFER_BYTES so that holes line up */
  #start = 0;
  #runs: DataRun[] = [];
  #segments: readonly SparseSegment[] = [];
  #segment = 0;
  #segmentDone = 0;
  /** the run that is being written: start in the file and in the data file */
  #run: { readonly fileOffset: number; readonly dataOffset: number } | undefined;
  /** end of what is written of the run, as an offset in the file */
  #runEnd = 0;
  #pieces: StoredPiece[] = [];

  constructor(path: string) {
    this.#fd = openSync(path, "wx", 0o600);
  }

  /** Bytes handed out so far: the place where the next byte goes. */
  get length(): number {
    return this.#start + this.#filled;
  }

  /** Begins a file whose data are its segments, in file order. */
  begin(segments: readonly SparseSegment[]): void {
    this.#segments = segments;
    this.#segment = 0;
    this.#segmentDone = 0;
    this.#runs = [];
    this.#pieces = [];
  }

  /** Takes the next bytes of the file's segments. */
  write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const segment = this.#segments[this.#segment];
      if (segment === undefined) throw new RangeError("more data than its segments hold");
      if (this.#segmentDone === 0) this.#openRun(segment);
      const length = Math.min(bytes.length - at, segment.length - this.#segmentDone);
      this.#put(bytes, at, length);
      this.#runEnd += length;
      at += length;
      this.#segmentDone += length;
      if (this.#segmentDone === segment.length) {
        this.#pieces.push({ offset: this.length - segment.length, length: segment.length });
        this.#segment++;
        this.#segmentDone = 0;
      }
    }
  }

  /** Ends the file. */
  end(): { readonly runs: readonly DataRun[]; readonly pieces: readonly StoredPiece[] } {
    this.#closeRun();
    return { runs: this.#runs, pieces: this.#pieces };
  }

  /** Writes what is left, and makes it last. @returns length of the data file, in `bytes` */
  finish(): number {
    this.#zeros(-this.length & (PAGE - 1));
    const length = this.length;
    this.#flush();
    ftruncateSync(this.#fd, length);
    fdatasyncSync(this.#fd);
    return length;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /**
   * Runs begin on a page of the file. A segment that begins on the page where the run ends, or on the next, carries
   * the run on, with zeros between them.
   */
  #openRun(segment: SparseSegment): void {
    const page = segment.offset - (segment.offset % PAGE);
    const runPageEnd = this.#runEnd + (-this.#runEnd & (PAGE - 1));
    if (this.#run !== undefined && page <= runPageEnd) {
      this.#zeros(segment.offset - this.#runEnd);
      this.#runEnd = segment.offset;
      return;
    }
    this.#closeRun();
    this.#zeros(-this.length & (PAGE - 1));
    this.#run = { fileOffset: page, dataOffset: this.length };
    this.#zeros(segment.offset - page);
    this.#runEnd = segment.offset;
  }

  #closeRun(): void {
    if (this.#run === undefined) return;
    const { fileOffset, dataOffset } = this.#run;
    const isLast = this.#segment >= this.#segments.length;
    let length = this.#runEnd - fileOffset;
    if (!isLast) {
      // Only the last run may end off a page.
      const padding = -length & (PAGE - 1);
      this.#zeros(padding);
      length += padding;
    }
    this.#runs.push({ fileOffset, dataOffset, length });
    this.#run = undefined;
  }

  #put(bytes: Buffer, from: number, length: number): void {
    for (let at = from; at < from + length; ) {
      const step = Math.min(from + length - at, BUFFER_BYTES - this.#filled);
      bytes.copy(this.#buffer, this.#filled, at, at + step);
      this.#filled += step;
      at += step;
      if (this.#filled === BUFFER_BYTES) this.#flush();
    }
  }

  #zeros(length: number): void {
    for (let left = length; left > 0; ) {
      const step = Math.min(left, BUFFER_BYTES - this.#filled);
      this.#buffer.fill(0, this.#filled, this.#filled + step);
      this.#filled += step;
      left -= step;
      if (this.#filled === BUFFER_BYTES) this.#flush();
    }
  }

  #flush(): void {
    let from = 0;
    for (let at = 0; at < this.#filled; at += HOLE_BYTES) {
      const end = Math.min(at + HOLE_BYTES, this.#filled);
      const isHole =
        this.#buffer[at] === 0 && this.#buffer.compare(ZEROS, 0, end - at, at, end) === 0;
      if (!isHole) continue;
      this.#writeOut(from, at);
      from = end;
    }
    this.#writeOut(from, this.#filled);
    this.#start += this.#filled;
    this.#filled = 0;
  }

  #writeOut(from: number, to: number): void {
    for (let at = from; at < to; )
      at += writeSync(this.#fd, this.#buffer, at, to - at, this.#start + at);
  }
}
