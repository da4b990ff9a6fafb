/** Passes chunks through a decompressor of Node's, which holds no chunk once it asks for the next. */
import type { Transform } from "node:stream";

/**
 * Passes chunks through a stream, which ends with the passing.
 * @param input chunks that are valid until the next one is asked for
 */
export async function* throughStream(
  input: AsyncIterable<Uint8Array>,
  stream: Transform,
): AsyncGenerator<Uint8Array> {
  const feeding = feed(input, stream);
  try {
    yield* stream;
  } finally {
    stream.destroy();
    await feeding;
  }
}

/** Writes each chunk when the one before is used up, until the stream is closed. Its failures are the stream's. */
async function feed(input: AsyncIterable<Uint8Array>, stream: Transform): Promise<void> {
  let giveUp: (() => void) | undefined;
  stream.once("close", () => giveUp?.());
  const take = (chunk: Uint8Array): Promise<boolean> =>
    new Promise((resolve) => {
      giveUp = () => resolve(false);
      stream.write(chunk, (error) => resolve(error === null || error === undefined));
    });
  try {
    for await (const chunk of input) if (stream.destroyed || !(await take(chunk))) return;
    stream.end();
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}
