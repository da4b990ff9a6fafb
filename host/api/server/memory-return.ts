/**
 * Gives back memory that something large has left behind. What passes through a process leaves its pieces with the C
 * library, which keeps them for the next ones, and objects that nobody collects as long as nothing else is done.
 */

import { trimMalloc } from "../../sys/malloc-trim.ts";

/** Between two looks, in `milliseconds`. */
const INTERVAL = 2000;
/** Growth that is worth the while, in `bytes`. */
const WORTHWHILE = 8 * 1024 * 1024;
/** What more or less makes no difference, in `bytes`. */
const LITTLE = 1024 * 1024;

export interface MemoryReturnOptions {
  /** in `bytes` */
  readonly resident?: () => number;
  /** gives back what was freed */
  readonly trim?: () => void;
  /** frees what nobody refers to; absent: the collector's own, which a Node with `--expose-gc` has */
  readonly collect?: () => void;
}

/** Looks from time to time, until it is disposed of; keeps no process alive. */
export function returnMemory(options: MemoryReturnOptions = {}): Disposable {
  const look = memoryLook(options);
  const timer = setInterval(look, INTERVAL).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * One look. A process that has grown since it was smallest is trimmed; when it grows no more, what it did is over, and
 * it is collected once.
 */
export function memoryLook({
  resident = process.memoryUsage.rss,
  trim = trimMalloc,
  collect = collectAll,
}: MemoryReturnOptions): () => void {
  let smallest = resident();
  let before = smallest;
  return () => {
    const now = resident();
    const hasGrown = now >= smallest + WORTHWHILE;
    const isQuiet = hasGrown && now < before + LITTLE;
    if (isQuiet) collect();
    if (hasGrown) trim();
    before = resident();
    // what is left now is in use
    smallest = isQuiet ? before : Math.min(smallest, before);
  };
}

/** Any other flavor keeps the pages that are free then for later. */
function collectAll(): void {
  globalThis.gc?.({ type: "major", flavor: "last-resort" });
}
