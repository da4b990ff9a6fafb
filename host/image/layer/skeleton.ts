/**
 * What a tar stream holds besides file data (headers, padding, its end), kept so that the stream can be put together
 * again to the byte: pushed, saved and verified without the blob being stored a second time.
 *
 *   header    magic `DVMSKELT`, u32 version
 *   segments  zstd frames in front of which their length stands as u32; unpacked, one after another: u32 length of a
 *             literal, f64 place of a piece in the data file, f64 its length, the literal's bytes
 *
 * Little-endian. A segment means: the literal, then the piece.
 */
import { closeSync, fdatasync, openSync, readSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { imageError } from "../errors.ts";
import type { StoredPiece } from "./data-file.ts";

const MAGIC = Buffer.from("DVMSKELT\x01\0\0\0", "latin1");
const SEGMENT_HEAD_BYTES = 20;
/** Unpacked length at which a frame is written, in `bytes`. */
const FRAME_BYTES = 256 * 1024;
const COMPRESSION = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } };

/** Writes a skeleton while its stream is read. */
export class SkeletonWriter implements Disposable {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(FRAME_BYTES);
  /** start of the segment that is being filled, whose head is not written yet */
  #segment = 0;
  #filled = SEGMENT_HEAD_BYTES;

  constructor(path: string) {
    this.#fd = openSync(path, "wx", 0o600);
    try {
      writeSync(this.#fd, MAGIC);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Takes bytes that are no file data. */
  literal(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === FRAME_BYTES) this.#endSegment({ offset: 0, length: 0 });
      const step = Math.min(bytes.length - at, FRAME_BYTES - this.#filled);
      bytes.copy(this.#buffer, this.#filled, at, at + step);
      this.#filled += step;
      at += step;
    }
  }

  /** Takes the place of file data. */
  piece(piece: StoredPiece): void {
    this.#endSegment(piece);
  }

  /** Writes what is left, and makes it last. */
  async finish(): Promise<void> {
    this.#endSegment({ offset: 0, length: 0 });
    this.#flush();
    await promisify(fdatasync)(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #endSegment(piece: StoredPiece): void {
    const at = this.#segment;
    this.#buffer.writeUInt32LE(this.#filled - at - SEGMENT_HEAD_BYTES, at);
    this.#buffer.writeDoubleLE(piece.offset, at + 4);
    this.#buffer.writeDoubleLE(piece.length, at + 12);
    this.#segment = this.#filled;
    if (FRAME_BYTES - this.#filled < SEGMENT_HEAD_BYTES + 512) this.#flush();
    this.#filled = this.#segment + SEGMENT_HEAD_BYTES;
  }

  #flush(): void {
    const frame = zstdCompressSync(this.#buffer.subarray(0, this.#segment), COMPRESSION);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    writeSync(this.#fd, Buffer.concat([length, frame]));
    this.#segment = 0;
  }
}

/** Longest frame a skeleton can hold, in `bytes`: zstd adds little to what it cannot compress. */
const MAX_FRAME_BYTES = FRAME_BYTES + 4096;

/**
 * Puts the tar stream together again.
 * @param paths the layer's data file and its skeleton
 * @returns chunks of the stream, each a buffer of its own
 * @throws STORE_CORRUPT
 */
export function* rebuildTar(paths: {
  readonly data: string;
  readonly skeleton: string;
}): Generator<Buffer> {
  const skeleton = openSync(paths.skeleton, "r");
  const data = openSync(paths.data, "r");
  try {
    const magic = Buffer.alloc(MAGIC.length);
    readSync(skeleton, magic);
    if (!magic.equals(MAGIC)) throw corrupt(paths.skeleton);
    for (;;) {
      const frame = readFrame(skeleton, paths.skeleton);
      if (frame === undefined) return;
      yield* rebuildFrame(frame, data, paths);
    }
  } finally {
    closeSync(data);
    closeSync(skeleton);
  }
}

function readFrame(fd: number, path: string): Buffer | undefined {
  const length = Buffer.alloc(4);
  const got = readSync(fd, length);
  if (got === 0) return undefined;
  const size = length.readUInt32LE();
  if (got < 4 || size > MAX_FRAME_BYTES) throw corrupt(path);
  const frame = Buffer.alloc(size);
  if (readSync(fd, frame) < size) throw corrupt(path);
  try {
    return zstdDecompressSync(frame, { maxOutputLength: FRAME_BYTES });
  } catch (cause) {
    throw imageError("STORE_CORRUPT", `damaged layer in the store: ${path}`, { cause });
  }
}

/** Largest chunk of file data, in `bytes`. */
const CHUNK_BYTES = 1024 * 1024;

function* rebuildFrame(
  frame: Buffer,
  data: number,
  paths: { readonly data: string; readonly skeleton: string },
): Generator<Buffer> {
  for (let at = 0; at < frame.length; ) {
    if (frame.length - at < SEGMENT_HEAD_BYTES) throw corrupt(paths.skeleton);
    const literal = frame.readUInt32LE(at);
    const offset = frame.readDoubleLE(at + 4);
    const length = frame.readDoubleLE(at + 12);
    at += SEGMENT_HEAD_BYTES;
    if (literal > 0) yield frame.subarray(at, at + literal);
    at += literal;
    for (let done = 0; done < length; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - done));
      const got = readSync(data, chunk, 0, chunk.length, offset + done);
      if (got === 0) throw corrupt(paths.data);
      done += got;
      yield chunk.subarray(0, got);
    }
  }
}

function corrupt(path: string): Error {
  return imageError("STORE_CORRUPT", `damaged layer in the store: ${path}`);
}
