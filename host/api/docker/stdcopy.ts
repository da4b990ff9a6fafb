/**
 * Several streams in one: each piece has a header of eight bytes, the stream's number, three zeros and the length,
 * big-endian (Docker Engine API, "Attach to a container", Stream format).
 */

import { Buffer } from "node:buffer";
import { Transform, type TransformCallback, type Writable } from "node:stream";
import { apiError } from "./errors.ts";

export const STDOUT = 1;
export const STDERR = 2;
/** What went wrong in the daemon after the headers were sent, as text. */
export const SYSTEM_ERROR = 3;

const HEADER_LENGTH = 8;
/** Longest piece that a reader takes, in `bytes`; writers make far shorter ones. */
const MAX_PIECE = 1 << 26;

/** The header of a piece of `length` bytes. */
export function pieceHeader(stream: number, length: number): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH);
  header[0] = stream;
  header.writeUInt32BE(length, 4);
  return header;
}

/** Header and bytes in one. */
export function piece(stream: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([pieceHeader(stream, bytes.length), bytes]);
}

export interface DemultiplexTargets {
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
}

/**
 * Takes multiplexed bytes and hands each stream's to its target at the pace of the slower; it ends none of them.
 * A piece of `SYSTEM_ERROR` and one of an unknown stream make it fail.
 */
export function demultiplexer(targets: DemultiplexTargets): Transform {
  const header = Buffer.alloc(HEADER_LENGTH);
  let filled = 0;
  let left = 0;
  let system: Buffer[] = [];

  /** Goes on from `at`, and again whenever a target takes more. */
  function take(chunk: Buffer, start: number, done: TransformCallback): void {
    let at = start;
    while (at < chunk.length) {
      if (filled < HEADER_LENGTH) {
        const taken = chunk.copy(header, filled, at, at + HEADER_LENGTH - filled);
        filled += taken;
        at += taken;
        if (filled < HEADER_LENGTH) break;
        left = pieceLength(header);
      }
      const bytes = chunk.subarray(at, at + left);
      at += bytes.length;
      left -= bytes.length;
      const target = deliver(bytes);
      if (left === 0) filled = 0;
      if (target !== undefined) {
        whenReady(target, () => tryTake(chunk, at, done));
        return;
      }
    }
    done();
  }

  function tryTake(chunk: Buffer, start: number, done: TransformCallback): void {
    try {
      take(chunk, start, done);
    } catch (error) {
      done(error as Error);
    }
  }

  /** @returns the target if it is to be waited for */
  function deliver(bytes: Buffer): Writable | undefined {
    if (header[0] === SYSTEM_ERROR) {
      system.push(bytes);
      if (left > 0) return undefined;
      const text = Buffer.concat(system).toString("utf8");
      system = [];
      throw apiError("DAEMON_REFUSED", text);
    }
    const target = header[0] === STDERR ? targets.stderr : targets.stdout;
    if (target === undefined || bytes.length === 0) return undefined;
    // one that is gone takes everything
    return target.destroyed || target.write(bytes) || target.destroyed ? undefined : target;
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      tryTake(chunk, 0, callback);
    },
    flush(callback) {
      const torn = filled > 0 ? apiError("DAEMON_REFUSED", "the stream ended in a piece") : null;
      callback(torn);
    },
  });
}

function pieceLength(header: Buffer): number {
  const stream = header[0] ?? 0;
  const length = header.readUInt32BE(4);
  if (stream > SYSTEM_ERROR || length > MAX_PIECE) {
    throw apiError("DAEMON_REFUSED", `not a multiplexed stream: stream ${stream}, ${length} bytes`);
  }
  return length;
}

function whenReady(target: Writable, resume: () => void): void {
  const ready = () => {
    target.off("drain", ready);
    target.off("close", ready);
    resume();
  };
  target.on("drain", ready);
  target.on("close", ready);
}
