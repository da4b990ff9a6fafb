/** A stream that has to bring something: one that trickles would hold for days what it is read with. */

/** Least of a stream in each stretch of waiting for it, in `bytes` and `milliseconds`: 1 KiB a second. */
export const LEAST_BYTES = 60 * 1024;
const STRETCH = 60_000;

export interface SteadyOptions {
  /** what to fail with */
  readonly tooSlow: () => Error;
  /** a clock, in `milliseconds` */
  readonly now?: () => number;
}

/** Passes the chunks on; the time that their reader takes is not the stream's. @throws what `tooSlow` makes */
export async function* steadyStream(
  chunks: AsyncIterable<Uint8Array>,
  { tooSlow, now = () => performance.now() }: SteadyOptions,
): AsyncGenerator<Uint8Array> {
  let waited = 0;
  let brought = 0;
  let asked = now();
  for await (const chunk of chunks) {
    waited += now() - asked;
    brought += chunk.length;
    if (waited >= STRETCH) {
      if (brought < LEAST_BYTES) throw tooSlow();
      waited = 0;
      brought = 0;
    }
    yield chunk;
    asked = now();
  }
}
