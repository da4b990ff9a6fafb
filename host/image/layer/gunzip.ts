/** Gunzips a stream of one or more members: by ISA-L where it is installed, by Node's zlib elsewhere. */
import { createGunzip } from "node:zlib";
import { type GzipInflater, openGzipInflater } from "../../sys/isal.ts";
import { throughStream } from "./through-stream.ts";

/** Size of an output chunk, in `bytes`: with what it came from and goes to it fits a core's second-level cache. */
const OUTPUT_BYTES = 256 * 1024;

/**
 * Gunzips; members may follow one another, and zeros may pad the end (RFC 1952 §2.2; gzip's own manual).
 * @param input chunks that are valid until the next one is asked for
 * @returns chunks that are valid until the next one is asked for
 */
export function gunzip(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflater = openGzipInflater();
  return inflater === undefined ? gunzipByZlib(input) : gunzipByIsal(input, inflater);
}

/** The way without ISA-L. */
export async function* gunzipByZlib(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* throughStream(input, createGunzip({ chunkSize: OUTPUT_BYTES }));
}

/**
 * Inflates on this thread: what is inflated is still in this core's cache when it is hashed and written, and other
 * layers keep the other cores busy.
 */
async function* gunzipByIsal(
  input: AsyncIterable<Uint8Array>,
  inflater: GzipInflater,
): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = input[Symbol.asyncIterator]();
  const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  try {
    for (;;) {
      if (inflater.inputLeft === 0 && !(await feedNext(chunks, inflater))) {
        if (!inflater.finished) throw new Error("unexpected end of file");
        return;
      }
      if (inflater.finished) {
        if (await onlyPaddingLeft(chunks, inflater)) return;
        inflater.nextMember();
      }
      const length = inflater.inflate(output);
      if (length > 0) yield output.subarray(0, length);
    }
  } finally {
    await chunks.return?.();
  }
}

async function feedNext(
  chunks: AsyncIterator<Uint8Array>,
  inflater: GzipInflater,
): Promise<boolean> {
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return false;
    if (next.value.length === 0) continue;
    inflater.feed(next.value);
    return true;
  }
}

/** After a member: zeros to the end are padding, anything else has to be another member. */
async function onlyPaddingLeft(
  chunks: AsyncIterator<Uint8Array>,
  inflater: GzipInflater,
): Promise<boolean> {
  if (inflater.restOfInput[0] !== 0) return false;
  do {
    if (inflater.restOfInput.some((byte) => byte !== 0))
      throw new Error("garbage after the last member");
  } while (await feedNext(chunks, inflater));
  return true;
}
