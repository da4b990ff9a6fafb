/**
 * What clones of a template touch of its memory on their way to their first process: recorded of the first one, and read
 * ahead for the next. A clone has its memory mapped privately from the template's file, so the page tables of its VMM
 * tell (kernel Documentation/admin-guide/mm/pagemap.rst).
 */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import type { FileMark } from "./template-meta.ts";

/** A part of the memory, in `bytes`. */
export interface PageRun {
  readonly offset: number;
  readonly length: number;
}

/** Raised when it is written down in another way. */
const VERSION = 1;
const PAGE = 4096;
/** Of an entry of the page map, in `bytes`. */
const ENTRY = 8;
/** The top byte of an entry: bit 63, the page is in memory; bit 62, it is on a swap device. */
const TOUCHED = 0xc0;
/** Pages between two touched ones that are taken along, for the kernel reads as many at once. */
const GAP = 16;
/** Of one memory. */
const MAX_RUNS = 4096;

/** That it is in memory is taken for granted so long after it was brought there, in `milliseconds`. */
const FRESH = 60_000;
/** When each was prefetched last, by its path. */
const prefetched = new Map<string, number>();

export class WorkingSet {
  readonly #path: string;
  readonly #memory: FileMark;

  /** @param path where it is kept @param memory the template's */
  constructor(path: string, memory: FileMark) {
    this.#path = path;
    this.#memory = memory;
  }

  /** Has it read into the host's memory, unless that was done a moment ago. @param fd of the template's memory */
  async prefetch(fd: number, runs: readonly PageRun[] = []): Promise<void> {
    const now = Date.now();
    if (now - (prefetched.get(this.#path) ?? 0) < FRESH) return;
    prefetched.delete(this.#path);
    if (runs.length === 0) return;
    prefetched.set(this.#path, now);
    for (const path of [...prefetched.keys()].slice(0, -MAX_PREFETCHED)) prefetched.delete(path);
    const { willNeed } = await import("../../sys/file-advice.ts");
    for (const { offset, length } of runs) willNeed(fd, offset, length);
  }

  /** @returns nothing where none was recorded */
  async read(): Promise<PageRun[] | undefined> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    return readRuns(text, Number(this.#memory.size));
  }

  /** Records what a clone has touched so far, if that is not known. */
  record(pid: number): void {
    void this.#record(pid).catch(() => {}); // the next clone tries again
  }

  async #record(pid: number): Promise<void> {
    if ((await this.read()) !== undefined) return;
    const runs = touchedRuns(pid, this.#memory.inode);
    if (runs === undefined) return;
    const draft = `${this.#path}.${pid}`;
    await writeFile(draft, formatRuns(runs), { mode: 0o600 });
    await rename(draft, this.#path);
  }
}

/** Templates of which it is known when they were prefetched. */
const MAX_PREFETCHED = 16;

/** @param memory inode of the template's memory @returns nothing where the kernel does not tell */
function touchedRuns(pid: number, memory: string): PageRun[] | undefined {
  try {
    const runs = mappingsOf(pid, memory).flatMap((mapping) => runsIn(pid, mapping));
    return runs.length === 0 || runs.length > MAX_RUNS ? undefined : runs;
  } catch {
    return undefined; // it has ended, or is in a user namespace of its own
  }
}

export function formatRuns(runs: readonly PageRun[]): string {
  return JSON.stringify({ version: VERSION, runs: runs.map((run) => [run.offset, run.length]) });
}

/** @param size of the memory, in `bytes` @returns nothing for a text that is no working set of it */
export function readRuns(text: string, size: number): PageRun[] | undefined {
  const value: unknown = parse(text);
  if (typeof value !== "object" || value === null || !("version" in value && "runs" in value)) {
    return undefined;
  }
  const { version, runs } = value;
  if (version !== VERSION || !Array.isArray(runs) || runs.length > MAX_RUNS) return undefined;
  const all = runs.map((run: unknown) => (Array.isArray(run) ? run : []));
  const isRun = ([offset, length, more]: unknown[]) =>
    isPages(offset) && isPages(length) && offset + length <= size && more === undefined;
  if (!all.every(isRun)) return undefined;
  return all.map(([offset, length]) => ({ offset: Number(offset), length: Number(length) }));
}

interface Mapping {
  /** first address */
  readonly start: number;
  readonly pages: number;
  /** in the file, in `bytes` */
  readonly offset: number;
}

/** proc(5), /proc/PID/maps: addresses, permissions, offset, device, inode, path. */
function mappingsOf(pid: number, memory: string): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+) /.exec(line);
    const [, start = "", end = "", offset = "", inode = ""] = found ?? [];
    if (inode !== memory) return [];
    const [first, last] = [Number.parseInt(start, 16), Number.parseInt(end, 16)];
    return [{ start: first, pages: (last - first) / PAGE, offset: Number.parseInt(offset, 16) }];
  });
}

function runsIn(pid: number, { start, pages, offset }: Mapping): PageRun[] {
  const entries = Buffer.alloc(pages * ENTRY);
  const file = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    readSync(file, entries, 0, entries.length, (start / PAGE) * ENTRY);
  } finally {
    closeSync(file);
  }
  const runs: { first: number; end: number }[] = [];
  for (let page = 0; page < pages; page++) {
    if (((entries[page * ENTRY + ENTRY - 1] ?? 0) & TOUCHED) === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && page - last.end <= GAP) last.end = page + 1;
    else runs.push({ first: page, end: page + 1 });
  }
  return runs.map(({ first, end }) => ({
    offset: offset + first * PAGE,
    length: (end - first) * PAGE,
  }));
}

function isPages(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) % PAGE === 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
