/** Where a blob's bytes come from: a range of a local file, which any thread can read by itself, or a stream. */
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { imageError } from "../errors.ts";
import { freeing } from "./free-memory.ts";

export type BlobInput = FileRange | BlobStream;

export interface FileRange {
  readonly kind: "range";
  readonly path: string;
  /** start of the blob in the file, in `bytes` */
  readonly offset: number;
  readonly length: number;
}

export interface BlobStream {
  readonly kind: "stream";
  /** chunks with memory of their own, which the taker may keep or hand to another thread */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Length of a read, in `bytes`. */
const CHUNK_BYTES = 256 * 1024;

/** The chunks of a blob, each valid until the next one is asked for. @throws SOURCE_UNREADABLE */
export function blobChunks(input: BlobInput): AsyncIterable<Uint8Array> {
  return input.kind === "stream" ? freeing(input.chunks) : rangeChunks(input);
}

async function* rangeChunks(range: FileRange): AsyncGenerator<Uint8Array> {
  await using file = await openForReading(range.path);
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, range.length));
  for (let done = 0; done < range.length; ) {
    const length = Math.min(buffer.length, range.length - done);
    const { bytesRead } = await file.read(buffer, 0, length, range.offset + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The same of a file's range, read by a thread that may wait for the disk. @throws SOURCE_UNREADABLE */
export function* rangeChunksSync(range: FileRange): Generator<Uint8Array> {
  const fd = openForReadingSync(range.path);
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, range.length));
    for (let done = 0; done < range.length; ) {
      const length = Math.min(buffer.length, range.length - done);
      const bytesRead = readSync(fd, buffer, 0, length, range.offset + done);
      if (bytesRead === 0) return;
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    closeSync(fd);
  }
}

function openForReadingSync(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${path}`, { cause });
  }
}

async function openForReading(path: string): ReturnType<typeof open> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${path}`, { cause });
  }
}
