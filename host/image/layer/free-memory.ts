/**
 * Gives the memory of a chunk back at once. A collector that counts objects sees little in a stream's chunks, and
 * would let tens of megabytes of them pile up on each thread before it runs.
 */

/** Frees a chunk that nobody reads any more; one that shares its memory with others is left to the collector. */
export function freeMemory(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (!(buffer instanceof ArrayBuffer) || buffer.detached) return;
  if (chunk.byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Most chunks that a decompressor may hold back while it asks for the next; twice what Node's streams buffer here. */
const HELD_BACK = 8;

/** Passes chunks through and frees each when its reader has gone far enough past it. */
export async function* freeing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const passed: Uint8Array[] = [];
  for await (const chunk of chunks) {
    yield chunk;
    passed.push(chunk);
    const oldest = passed.length > HELD_BACK ? passed.shift() : undefined;
    if (oldest !== undefined) freeMemory(oldest);
  }
}
