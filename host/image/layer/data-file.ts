/** Lays the file data of a layer out in one file: each file's runs begin on a page, and zeros become holes. */
import type { DataRun } from "../../rootfs/entry.ts";
import { DirectFile, type FileCalls } from "./direct-file.ts";
import type { SparseSegment } from "./sparse-map.ts";

/** Alignment of runs: the block of EROFS and the page of the guest, in `bytes`. */
export const PAGE = 4096;

/** Where bytes of the stream came to stand in the data file. */
export interface StoredPiece {
  /** start in the data file, in `bytes` */
  readonly offset: number;
  readonly length: number;
}

/** The data file while it is written. */
export class DataFile implements AsyncDisposable {
  readonly #file: DirectFile;
  #runs: DataRun[] = [];
  #segments: readonly SparseSegment[] = [];
  #segment = 0;
  #segmentDone = 0;
  /** the run that is being written: start in the file and in the data file */
  #run: { readonly fileOffset: number; readonly dataOffset: number } | undefined;
  /** end of what is written of the run, as an offset in the file */
  #runEnd = 0;
  #pieces: StoredPiece[] = [];

  constructor(path: string, calls?: FileCalls) {
    this.#file = new DirectFile(path, calls);
  }

  /** What to wait for before more is written, see `DirectFile`. */
  get room(): Promise<void> | undefined {
    return this.#file.room;
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
      this.#file.put(bytes, at, length);
      this.#runEnd += length;
      at += length;
      this.#segmentDone += length;
      if (this.#segmentDone === segment.length) {
        this.#pieces.push({ offset: this.#file.length - segment.length, length: segment.length });
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
  async finish(): Promise<number> {
    this.#file.zeros(toPage(this.#file.length));
    return await this.#file.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  /**
   * Runs begin on a page of the file. A segment that begins on the page where the run ends, or on the next, carries
   * the run on, with zeros between them.
   */
  #openRun(segment: SparseSegment): void {
    const page = segment.offset - (segment.offset % PAGE);
    const runPageEnd = this.#runEnd + toPage(this.#runEnd);
    if (this.#run !== undefined && page <= runPageEnd) {
      this.#file.zeros(segment.offset - this.#runEnd);
      this.#runEnd = segment.offset;
      return;
    }
    this.#closeRun();
    this.#file.zeros(toPage(this.#file.length));
    this.#run = { fileOffset: page, dataOffset: this.#file.length };
    this.#file.zeros(segment.offset - page);
    this.#runEnd = segment.offset;
  }

  #closeRun(): void {
    if (this.#run === undefined) return;
    const { fileOffset, dataOffset } = this.#run;
    const isLast = this.#segment >= this.#segments.length;
    let length = this.#runEnd - fileOffset;
    if (!isLast) {
      // Only the last run may end off a page.
      const padding = toPage(length);
      this.#file.zeros(padding);
      length += padding;
    }
    this.#runs.push({ fileOffset, dataOffset, length });
    this.#run = undefined;
  }
}

/** Bytes from a place to the next page. */
function toPage(place: number): number {
  return -place & (PAGE - 1);
}
