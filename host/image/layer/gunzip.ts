/** Gunzips a stream of one or more members: by ISA-L where it is installed, by Node's zlib elsewhere. */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type GzipInflater, openGzipInflater } from "../../sys/isal.ts";

/** Size of an output chunk, in `bytes`: two of them fit a core's second-level cache with the window. */
const OUTPUT_BYTES = 512 * 1024;

/**
 * Gunzips; members may follow one another, and zeros may pad the end (RFC 1952 §2.2; gzip's own manual).
 * @param input chunks that stay unchanged once they are handed over
 * @returns chunks that are valid until the next one is asked for
 */
export function gunzip(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflater = openGzipInflater();
  return inflater === undefined ? gunzipByZlib(input) : gunzipByIsal(input, inflater);
}

/** The way without ISA-L. */
export async function* gunzipByZlib(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = createGunzip({ chunkSize: OUTPUT_BYTES });
  // Its errors come out of the iteration; the callback only keeps them from being thrown twice.
  pipeline(Readable.from(input, { highWaterMark: 2 }), stream, () => undefined);
  yield* stream;
}

/** Inflates the next chunk on another thread while the consumer works on this one; two buffers take turns. */
async function* gunzipByIsal(
  input: AsyncIterable<Uint8Array>,
  inflater: GzipInflater,
): AsyncGenerator<Uint8Array> {
  const steps = inflateSteps(input[Symbol.asyncIterator](), inflater);
  let pending = steps.next();
  try {
    for (;;) {
      const step = await pending;
      if (step.done === true) return;
      pending = steps.next();
      // A failure counts when its turn comes; until then it must not pass for an unhandled one.
      pending.catch(() => undefined);
      yield step.value;
    }
  } finally {
    await pending.catch(() => undefined);
    await steps.return(undefined);
  }
}

async function* inflateSteps(
  chunks: AsyncIterator<Uint8Array>,
  inflater: GzipInflater,
): AsyncGenerator<Uint8Array, void, undefined> {
  const outputs = [0, 1].map(() => Buffer.allocUnsafeSlow(OUTPUT_BYTES));
  try {
    for (let turn = 0; ; ) {
      if (inflater.inputLeft === 0 && !(await feedNext(chunks, inflater))) {
        if (!inflater.finished) throw new Error("unexpected end of file");
        return;
      }
      if (inflater.finished) {
        if (await onlyPaddingLeft(chunks, inflater)) return;
        inflater.nextMember();
      }
      const output = outputs[turn] ?? Buffer.alloc(0);
      const length = await inflater.inflate(output);
      if (length === 0) continue;
      turn = 1 - turn;
      yield output.subarray(0, length);
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
