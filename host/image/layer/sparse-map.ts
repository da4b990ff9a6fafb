/** Maps of sparse files: GNU's old format and its PAX formats 0.0, 0.1 and 1.0 (tar manual, "Storing Sparse Files"). */
import { imageError } from "../errors.ts";
import { type PaxRecords, paxNumber } from "./pax-records.ts";
import { BLOCK, number } from "./tar-header.ts";

/** A run of data within a sparse file; runs are in file order and follow one another in the stream. */
export interface SparseSegment {
  /** start within the file, in `bytes` */
  readonly offset: number;
  /** length, in `bytes` */
  readonly length: number;
}

/** Segments in an old GNU header, and in each of the blocks that continue it. */
const OLD_HEADER = { start: 386, count: 4, moreAt: 482, realSizeAt: [483, 495] } as const;
const OLD_EXTENSION = { start: 0, count: 21, moreAt: 504 } as const;

/** What an old GNU sparse header says. */
export interface OldSparseHeader {
  readonly segments: readonly SparseSegment[];
  /** size of the file with its holes, in `bytes` */
  readonly realSize: number;
  /** whether another block of segments follows */
  readonly more: boolean;
}

/** Reads the map in a header of type `S`. @throws LAYER_CORRUPT */
export function parseOldSparseHeader(block: Buffer): OldSparseHeader {
  return {
    segments: oldSegments(block, OLD_HEADER),
    realSize: number(block, OLD_HEADER.realSizeAt, "real size"),
    more: block[OLD_HEADER.moreAt] !== 0,
  };
}

/** Reads a block that continues the map of a header of type `S`. @throws LAYER_CORRUPT */
export function parseOldSparseExtension(block: Buffer): Omit<OldSparseHeader, "realSize"> {
  return { segments: oldSegments(block, OLD_EXTENSION), more: block[OLD_EXTENSION.moreAt] !== 0 };
}

/** Whether the map of a PAX sparse file stands in front of its data (format 1.0). */
export function isSparseOne(pax: PaxRecords): boolean {
  return pax.values.get("GNU.sparse.major") === "1" && pax.values.get("GNU.sparse.minor") === "0";
}

/** The map that formats 0.0 and 0.1 keep in the PAX header; `undefined` when there is none. @throws LAYER_CORRUPT */
export function paxSparseMap(pax: PaxRecords): readonly SparseSegment[] | undefined {
  const map = pax.values.get("GNU.sparse.map");
  if (map !== undefined && map !== "")
    return pairs(map.split(",").map((item) => paxNumber(item, "GNU.sparse.map")));
  if (pax.sparse.length > 0) return pairs(pax.sparse);
  return undefined;
}

/** Size of the file with its holes, where a PAX header says so, in `bytes`. @throws LAYER_CORRUPT */
export function paxRealSize(pax: PaxRecords): number | undefined {
  const value = pax.values.get("GNU.sparse.realsize") ?? pax.values.get("GNU.sparse.size");
  return value === undefined ? undefined : paxNumber(value, "GNU.sparse.realsize");
}

/** Reads format 1.0's map from the blocks in front of the data: decimal lines, the count first. */
export class SparseMapReader {
  readonly #maxSegments: number;
  readonly #blocks: Buffer[] = [];
  #lines = 0;
  #wanted = 0;

  constructor(maxSegments: number) {
    this.#maxSegments = maxSegments;
  }

  /** Length of what was read, in `bytes`. */
  get length(): number {
    return this.#blocks.length * BLOCK;
  }

  /**
   * Takes the next block of 512 bytes.
   * @returns the segments once the map is complete
   * @throws LAYER_CORRUPT, LAYER_LIMIT_EXCEEDED
   */
  add(block: Buffer): readonly SparseSegment[] | undefined {
    if (this.#blocks.length === 0) this.#wanted = 1 + 2 * this.#count(block);
    this.#blocks.push(Buffer.from(block));
    for (let at = block.indexOf(0x0a); at >= 0; at = block.indexOf(0x0a, at + 1)) this.#lines++;
    if (this.#lines < this.#wanted) {
      // A number has 16 digits at most, so a map that is longer than this goes nowhere.
      if (this.length > (this.#wanted + 1) * 17 + BLOCK) throw corrupt("its map does not end");
      return undefined;
    }
    const lines = Buffer.concat(this.#blocks).toString("latin1").split("\n", this.#wanted);
    return pairs(lines.slice(1).map((line) => paxNumber(line, "sparse map")));
  }

  #count(block: Buffer): number {
    const count = paxNumber(
      block.toString("latin1", 0, Math.max(0, block.indexOf(0x0a))),
      "sparse count",
    );
    if (count > this.#maxSegments) throw tooMany(this.#maxSegments);
    return count;
  }
}

/**
 * Checks a map against the file: ascending, without overlap, within the file, and as long as the data stored.
 * @returns the segments that hold anything
 * @throws LAYER_CORRUPT, LAYER_LIMIT_EXCEEDED
 */
export function checkSparseMap(
  segments: readonly SparseSegment[],
  file: { readonly realSize: number; readonly stored: number; readonly maxSegments: number },
): readonly SparseSegment[] {
  if (segments.length > file.maxSegments) throw tooMany(file.maxSegments);
  let end = 0;
  let stored = 0;
  for (const { offset, length } of segments) {
    if (offset < end) throw corrupt("its segments overlap or are out of order");
    end = offset + length;
    stored += length;
    if (end > file.realSize) throw corrupt("a segment reaches past its end");
  }
  if (stored !== file.stored) throw corrupt("its map does not fit the data stored");
  return segments.filter((segment) => segment.length > 0);
}

function oldSegments(
  block: Buffer,
  layout: { readonly start: number; readonly count: number },
): readonly SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let n = 0; n < layout.count; n++) {
    const at = layout.start + n * 24;
    // An unused place is empty; GNU tar ends a map with a segment of no length, which is not empty.
    if (block[at] === 0) break;
    const offset = number(block, [at, at + 12], "sparse offset");
    const length = number(block, [at + 12, at + 24], "sparse length");
    if (offset < 0 || length < 0) throw corrupt("a segment is negative");
    segments.push({ offset, length });
  }
  return segments;
}

function pairs(numbers: readonly number[]): readonly SparseSegment[] {
  if (numbers.length % 2 !== 0) throw corrupt("an offset without its length");
  const segments: SparseSegment[] = [];
  for (let n = 0; n < numbers.length; n += 2)
    segments.push({ offset: numbers[n] ?? 0, length: numbers[n + 1] ?? 0 });
  return segments;
}

function tooMany(max: number): Error {
  return imageError("LAYER_LIMIT_EXCEEDED", `a sparse file of more than ${max} segments`);
}

function corrupt(what: string): Error {
  return imageError("LAYER_CORRUPT", `corrupt sparse file: ${what}`);
}
