/** Decompresses a layer while it streams: gzip, zstd or none, told by its first bytes. */
import { createZstdDecompress, constants as zlib } from "node:zlib";
import { imageError } from "../errors.ts";
import { gunzip } from "./gunzip.ts";
import { throughStream } from "./through-stream.ts";
import { MAX_ZSTD_WINDOW_LOG, zstdFrames } from "./zstd-frames.ts";

export type Compression = "none" | "gzip" | "zstd";

/** Bytes needed to tell the compression. */
const MAGIC_BYTES = 4;

/**
 * Decompresses a stream.
 * @param input chunks that are valid until the next one is asked for
 * @returns chunks that are valid until the next one is asked for
 * @throws LAYER_CORRUPT
 */
export async function* decompress(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = input[Symbol.asyncIterator]();
  try {
    const head = await readHead(chunks);
    const whole = prepend(head, chunks);
    const compression = detectCompression(head);
    if (compression === "none") yield* whole;
    else if (compression === "gzip") yield* corruptAs("gzip", gunzip(whole));
    else yield* corruptAs("zstd", unzstd(zstdFrames(whole)));
  } finally {
    await chunks.return?.();
  }
}

/** The same for a consumer that keeps chunks: each has memory of its own. @throws LAYER_CORRUPT */
export async function* decompressToKeep(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of decompress(input)) yield Buffer.from(chunk);
}

/**
 * Tells the compression by the magic number (RFC 1952 §2.3.1; RFC 8878 §3.1.1, §3.1.2). The media type is not asked:
 * archives state none, and registries hold wrong ones; a tar header can never begin like either.
 */
export function detectCompression(head: Uint8Array): Compression {
  const [a, b, c, d] = head;
  if (a === 0x1f && b === 0x8b) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  if (a !== undefined && (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18)
    return "zstd";
  return "none";
}

async function* unzstd(frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = createZstdDecompress({
    chunkSize: 512 * 1024,
    params: { [zlib.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
  });
  yield* throughStream(frames, stream);
}

/** Gives the errors of a decompressor the image layer's form; errors of the input pass as they are. */
async function* corruptAs(
  format: string,
  output: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name === "DvmError" || cause.name === "AbortError")
      throw cause;
    throw imageError("LAYER_CORRUPT", `corrupt ${format} stream: ${cause.message}`, { cause });
  }
}

async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < MAGIC_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    const whole = head.length === 0 && next.value.length >= MAGIC_BYTES;
    // What is asked for more is asked for after the last chunk is gone.
    head = whole ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* prepend(
  head: Uint8Array,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return;
    yield next.value;
  }
}
