/** Moves frames, each behind its length in 32 bits, from one stream to another, as fast as that one takes them. */

import type { Socket } from "node:net";
import type { TokenBucket } from "./token-bucket.ts";

export interface PumpOptions {
  readonly from: Socket;
  readonly to: Socket;
  /** whether a frame goes on; absent: all do */
  readonly passes?: (frame: Uint8Array) => boolean;
  /** absent: no limit */
  readonly bucket?: TokenBucket | undefined;
}

const PREFIX_SIZE = 4;
/** Longest frame of the hypervisors and of passt, in `bytes` */
const FRAME_LIMIT = 128 * 1024;

export function pumpFrames({ from, to, passes = () => true, bucket }: PumpOptions): void {
  let held: Buffer = Buffer.alloc(0);
  const forward = (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const { pieces, rest } = takeFrames(held, passes);
    held = rest;
    let bytes = 0;
    let isTaken = true;
    for (const piece of pieces) {
      bytes += piece.length;
      isTaken = to.write(piece);
    }
    const wait = bucket === undefined || bytes === 0 ? 0 : bucket.take(bytes);
    if (isTaken && wait < 1) return;
    from.pause();
    const resume = () => {
      if (wait < 1) from.resume();
      else setTimeout(() => from.resume(), wait);
    };
    if (isTaken) resume();
    else to.once("drain", resume);
  };
  from.on("data", (chunk: Buffer) => {
    try {
      forward(chunk);
    } catch {
      // whoever breaks the rules is spoken to no more
      from.destroy();
    }
  });
}

/** Whole frames with their lengths, those side by side in one piece, and what is left of `bytes`. @throws RangeError */
export function takeFrames(
  bytes: Buffer,
  passes: (frame: Uint8Array) => boolean,
): { readonly pieces: readonly Buffer[]; readonly rest: Buffer } {
  const pieces: Buffer[] = [];
  let start = 0;
  let at = 0;
  while (at + PREFIX_SIZE <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    if (length > FRAME_LIMIT) throw new RangeError(`a frame of ${length} bytes`);
    const end = at + PREFIX_SIZE + length;
    if (end > bytes.length) break;
    if (!passes(bytes.subarray(at + PREFIX_SIZE, end))) {
      if (at > start) pieces.push(bytes.subarray(start, at));
      start = end;
    }
    at = end;
  }
  if (at > start) pieces.push(bytes.subarray(start, at));
  return { pieces, rest: bytes.subarray(at) };
}

/** A frame as it goes over the stream. */
export function framed(frame: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_SIZE);
  prefix.writeUInt32BE(frame.length);
  return Buffer.concat([prefix, frame]);
}
