/** Where the content of a regular file lies: one run of blocks, or chunks with holes between them. */

import type { DataRun } from "../entry.ts";
import { rootfsError } from "../errors.ts";
import type { FileNode } from "../tree.ts";
import { EROFS_BLKSIZ, EROFS_CHUNK_FORMAT_BLKBITS_MASK, EROFS_NULL_ADDR } from "./erofs-fs.ts";

/** Entries in the block map of one file (64 MiB of metadata): a tiny entry may state an enormous sparse file. */
const MAX_CHUNKS = 2 ** 24;

/** A run of blocks of a file, in blocks. */
interface BlockRun {
  readonly fileBlock: number;
  readonly dataBlock: number;
  readonly blocks: number;
}

export type FileMap =
  | { readonly kind: "empty" }
  /** the whole file in one run, from `dataBlock` of the layer's data file */
  | { readonly kind: "flat"; readonly dataBlock: number }
  | {
      readonly kind: "chunked";
      /** chunks are of `2 ** bits` blocks */
      readonly bits: number;
      /** number of chunks */
      readonly count: number;
      readonly runs: readonly BlockRun[];
    };

/**
 * Maps a file.
 *
 * @throws ROOTFS_BAD_DATA where the runs are no map of the file, ROOTFS_TOO_LARGE where the map would be
 */
export function mapFile(file: FileNode): FileMap {
  if (file.size === 0) return { kind: "empty" };
  const runs = blockRuns(file);
  const blocks = Math.ceil(file.size / EROFS_BLKSIZ);
  const first = runs[0];
  if (first !== undefined && first.fileBlock === 0 && first.blocks === blocks) {
    return { kind: "flat", dataBlock: first.dataBlock };
  }
  const bits = chunkBits(runs, blocks);
  const count = Math.ceil(blocks / 2 ** bits);
  if (count > MAX_CHUNKS) {
    throw rootfsError("ROOTFS_TOO_LARGE", `sparse file of ${file.size} bytes has too long a map`);
  }
  return { kind: "chunked", bits, count, runs };
}

/** The disk block of each chunk in order; `base` is the disk block of the layer's data. */
export function* chunkBlocks(
  map: FileMap & { readonly kind: "chunked" },
  base: number,
): Generator<number> {
  const step = 2 ** map.bits;
  let next = 0;
  for (let chunk = 0; chunk < map.count; chunk += 1) {
    const block = chunk * step;
    let run = map.runs[next];
    while (run !== undefined && run.fileBlock + run.blocks <= block) {
      next += 1;
      run = map.runs[next];
    }
    if (run === undefined || run.fileBlock > block) yield EROFS_NULL_ADDR;
    else yield base + run.dataBlock + block - run.fileBlock;
  }
}

/** The runs in blocks, checked, those that continue each other joined. */
function blockRuns(file: FileNode): BlockRun[] {
  const runs: BlockRun[] = [];
  let end = 0;
  for (const run of file.data) {
    checkRun(file, run, end);
    end = run.fileOffset + run.length;
    const next = {
      fileBlock: run.fileOffset / EROFS_BLKSIZ,
      dataBlock: run.dataOffset / EROFS_BLKSIZ,
      blocks: Math.ceil(run.length / EROFS_BLKSIZ),
    };
    const last = runs.at(-1);
    if (
      last !== undefined &&
      last.fileBlock + last.blocks === next.fileBlock &&
      last.dataBlock + last.blocks === next.dataBlock
    ) {
      runs[runs.length - 1] = { ...last, blocks: last.blocks + next.blocks };
    } else {
      runs.push(next);
    }
  }
  return runs;
}

function checkRun(file: FileNode, run: DataRun, previousEnd: number): void {
  const end = run.fileOffset + run.length;
  const aligned =
    run.fileOffset % EROFS_BLKSIZ === 0 &&
    run.dataOffset % EROFS_BLKSIZ === 0 &&
    previousEnd % EROFS_BLKSIZ === 0;
  if (!aligned || run.fileOffset < previousEnd || run.length <= 0 || end > file.size) {
    throw rootfsError(
      "ROOTFS_BAD_DATA",
      `run of ${run.length} bytes at ${run.fileOffset} does not fit a file of ${file.size} bytes`,
    );
  }
}

/** The largest chunk size at which no chunk has both data and a hole, or data of two runs. */
function chunkBits(runs: readonly BlockRun[], blocks: number): number {
  // Whatever lies beyond the last block of the file belongs to no chunk, so the file's end is no border.
  let bits = Math.min(EROFS_CHUNK_FORMAT_BLKBITS_MASK, Math.ceil(Math.log2(blocks)));
  for (const run of runs) {
    bits = Math.min(bits, trailingZeros(run.fileBlock));
    const end = run.fileBlock + run.blocks;
    if (end < blocks) bits = Math.min(bits, trailingZeros(end));
  }
  return bits;
}

function trailingZeros(value: number): number {
  if (value === 0) return EROFS_CHUNK_FORMAT_BLKBITS_MASK;
  let zeros = 0;
  for (let rest = value; rest % 2 === 0; rest /= 2) zeros += 1;
  return zeros;
}
