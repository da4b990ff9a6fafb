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
/** Of all runs together, in `bytes`; nor are they more than a quarter of the memory. */
const MAX_TOTAL = 64 * 1024 * 1024;

/** That it is in memory is taken for granted so long after it was brought there, in `milliseconds`. */
const FRESH = 60_000;
/** When each was prefetched last, by its path. */
const prefetched = new Map<string, number>();

export class WorkingSet {
  readonly #path: string;
  readonly #memory: FileMark;
  readonly #device: bigint;

  /** @param path where it is kept @param memory the template's @param device where that is, as stat(2) tells it */
  constructor(path: string, memory: FileMark, device: bigint) {
    this.#path = path;
    this.#memory = memory;
    this.#device = device;
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
    const runs = touchedRuns(pid, this.#memory, deviceName(this.#device));
    if (runs === undefined) return;
    const draft = `${this.#path}.${pid}`;
    await writeFile(draft, formatRuns(runs), { mode: 0o600 });
    await rename(draft, this.#path);
  }
}

/** Templates of which it is known when they were prefetched. */
const MAX_PREFETCHED = 16;

/** @returns nothing where the kernel does not tell, or it is no working set */
function touchedRuns(pid: number, memory: FileMark, device: string): PageRun[] | undefined {
  try {
    const size = Number(memory.size);
    const mappings = mappingsOf(pid, memory.inode, device);
    const runs = upTo(size / PAGE, mappings).flatMap((mapping) => runsIn(pid, mapping));
    return runs.length === 0 || !isInBounds(runs, size) ? undefined : runs;
  } catch {
    return undefined; // it has ended, or is in a user namespace of its own
  }
}

/** A process that its guest has taken over may have mapped the memory any number of times. */
function upTo(pages: number, mappings: readonly Mapping[]): Mapping[] {
  let taken = 0;
  return mappings.filter((mapping) => {
    taken += mapping.pages;
    return taken <= pages;
  });
}

function isInBounds(runs: readonly PageRun[], size: number): boolean {
  const total = runs.reduce((sum, { length }) => sum + length, 0);
  return runs.length <= MAX_RUNS && total <= Math.min(size / 4, MAX_TOTAL);
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
  const read = all.map(([offset, length]) => ({ offset: Number(offset), length: Number(length) }));
  return isInBounds(read, size) ? read : undefined;
}

interface Mapping {
  /** first address */
  readonly start: number;
  readonly pages: number;
  /** in the file, in `bytes` */
  readonly offset: number;
}

/** proc(5), /proc/PID/maps: addresses, permissions, offset, device, inode, path. */
function mappingsOf(pid: number, memory: string, device: string): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) (\S+) (\d+) /.exec(line);
    const [, start = "", end = "", offset = "", on = "", inode = ""] = found ?? [];
    if (inode !== memory || !on.startsWith(device)) return [];
    const [first, last] = [Number.parseInt(start, 16), Number.parseInt(end, 16)];
    return [{ start: first, pages: (last - first) / PAGE, offset: Number.parseInt(offset, 16) }];
  });
}

/**
 * As the maps name it (makedev(3) has the bits). Of an anonymous one, whose major number is 0, they have another minor
 * number than stat(2) where a file system gives each of its volumes one, as Btrfs does.
 */
function deviceName(device: bigint): string {
  const [major, minor] = [
    ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n),
    (device & 0xffn) | ((device >> 12n) & 0xffffff00n),
  ].map((number) => number.toString(16).padStart(2, "0"));
  return major === "00" ? "00:" : `${major}:${minor}`;
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
