/** Where a blob's bytes come from: a range of a local file, which any thread can read by itself, or a stream. */
import { open } from "node:fs/promises";
import { imageError } from "../errors.ts";

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

/** The chunks of a blob; each has memory of its own. @throws SOURCE_UNREADABLE */
export function blobChunks(input: BlobInput): AsyncIterable<Uint8Array> {
  return input.kind === "stream" ? input.chunks : rangeChunks(input);
}

async function* rangeChunks(range: FileRange): AsyncGenerator<Uint8Array> {
  await using file = await openForReading(range.path);
  for (let done = 0; done < range.length; ) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, range.length - done));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, range.offset + done);
    if (bytesRead === 0) return;
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function openForReading(path: string): ReturnType<typeof open> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${path}`, { cause });
  }
}
