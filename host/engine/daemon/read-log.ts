/** Reads a container's log: from its begin or its last lines, to its end or for as long as the container runs. */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { parseNanoseconds } from "./clock.ts";
import type { LogEntry, LogRequest } from "./model.ts";

/** Read at a time, in `bytes`. */
const BLOCK = 64 * 1024;
/** Longest line of a log file: an entry with every byte escaped, in `bytes`. */
const MAX_LINE = 256 * 1024;
/** Most files of a rotated log. */
const MAX_FILES = 1000;
const LINE_FEED = 10;

export interface LogSource {
  /** path of the newest file */
  readonly path: string;
  /** whether more may come */
  readonly isLive: () => boolean;
  /** Resolves when there is more to read, or nothing more will come, or the signal is aborted. */
  readonly changed: (signal: AbortSignal) => Promise<void>;
}

export async function* readLog(source: LogSource, request: LogRequest): AsyncGenerator<LogEntry> {
  const { signal, until } = request;
  for await (const line of lines(source, request)) {
    if (signal.aborted) return;
    const entry = parseLine(line);
    if (entry === undefined) continue;
    if (until !== undefined && entry.time > until) return;
    if (request.since !== undefined && entry.time < request.since) continue;
    if (request[entry.stream]) yield entry;
  }
}

async function* lines(source: LogSource, request: LogRequest): AsyncGenerator<Buffer> {
  const files = openFiles(source.path);
  try {
    const starts = startsOf(files, request.tail);
    for (const [index, fd] of files.entries()) {
      const isNewest = index === files.length - 1;
      const start = starts[index];
      if (start === undefined) continue;
      if (isNewest && request.follow) yield* followedLines(source, { fd, start }, request.signal);
      else yield* linesFrom(fd, start).lines;
    }
    if (files.length === 0 && request.follow) {
      yield* followedLines(source, undefined, request.signal);
    }
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

/** The newest file and those that come after it by rotation. */
async function* followedLines(
  source: LogSource,
  from: { readonly fd: number; readonly start: number } | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let at = from;
  let own: number | undefined;
  try {
    while (!signal.aborted) {
      // asked before reading, so that what was written meanwhile is seen in the next turn
      const live = source.isLive();
      const changed = source.changed(signal);
      if (at !== undefined) {
        const { lines: some, end } = linesFrom(at.fd, at.start);
        yield* some;
        at = { fd: at.fd, start: end() };
      }
      const next = nextFile(source.path, at?.fd);
      if (next !== undefined) {
        // what came between the last look and the rotation
        if (at !== undefined) yield* linesFrom(at.fd, at.start).lines;
        if (own !== undefined) closeSync(own);
        own = next;
        at = { fd: next, start: 0 };
        continue;
      }
      if (!live) return;
      await changed;
    }
  } finally {
    if (own !== undefined) closeSync(own);
  }
}

/** Opens the newest file when it is not the one that is read. */
function nextFile(path: string, current: number | undefined): number | undefined {
  try {
    if (current !== undefined && statSync(path).ino === fstatSync(current).ino) return undefined;
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Oldest first. */
function openFiles(path: string): number[] {
  const files: number[] = [];
  for (let number = 0; number < MAX_FILES; number++) {
    try {
      files.unshift(openSync(number === 0 ? path : `${path}.${number}`, "r"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") break;
      throw error;
    }
  }
  return files;
}

/** Where to begin in each file; undefined for those that are left out. */
function startsOf(files: readonly number[], tail: number | undefined): (number | undefined)[] {
  if (tail === undefined) return files.map(() => 0);
  let wanted = tail;
  return files
    .toReversed()
    .map((fd, index) => {
      if (wanted <= 0 && index > 0) return undefined;
      const { start, found } = lastLines(fd, wanted);
      wanted -= found;
      return start;
    })
    .toReversed();
}

/** Looks from the end for the begin of the last `count` lines. */
function lastLines(fd: number, count: number): { readonly start: number; readonly found: number } {
  let at = fstatSync(fd).size;
  if (count <= 0) return { start: at, found: 0 };
  let found = 0;
  const block = Buffer.alloc(BLOCK);
  const size = at;
  while (at > 0) {
    const length = Math.min(BLOCK, at);
    at -= length;
    readSync(fd, block, 0, length, at);
    for (let index = length - 1; index >= 0; index--) {
      // the feed at the very end ends the last line and begins none
      if (block[index] !== LINE_FEED || at + index === size - 1) continue;
      found++;
      if (found === count) return { start: at + index + 1, found };
    }
  }
  return { start: 0, found: size > 0 ? found + 1 : 0 };
}

function linesFrom(
  fd: number,
  start: number,
): { readonly lines: Generator<Buffer>; readonly end: () => number } {
  let at = start;
  function* read(): Generator<Buffer> {
    let rest: Buffer = Buffer.alloc(0);
    let position = start;
    for (;;) {
      const block = Buffer.alloc(BLOCK);
      const length = readSync(fd, block, 0, BLOCK, position);
      if (length === 0) return;
      position += length;
      rest = Buffer.concat([rest, block.subarray(0, length)]);
      for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED)) {
        const line = rest.subarray(0, end);
        rest = rest.subarray(end + 1);
        at += end + 1;
        yield line;
      }
      if (rest.length > MAX_LINE) return;
    }
  }
  return { lines: read(), end: () => at };
}

/** A line that is none, such as one that was torn by a crash of the host, is left out. */
function parseLine(line: Buffer): LogEntry | undefined {
  try {
    const { log, stream, time }: Record<string, unknown> = JSON.parse(line.toString("utf8"));
    const moment = typeof time === "string" ? parseNanoseconds(time) : undefined;
    if (typeof log !== "string" || moment === undefined) return undefined;
    if (stream !== "stdout" && stream !== "stderr") return undefined;
    return { stream, time: moment, bytes: Buffer.from(log) };
  } catch {
    return undefined;
  }
}
