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

/** Passes chunks through and frees each when the next one is asked for. */
export async function* freeing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    freeMemory(chunk);
  }
}
