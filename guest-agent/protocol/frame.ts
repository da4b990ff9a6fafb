/**
 * Frames: what the byte stream between host and guest is cut into.
 *
 * A frame is a header of 12 bytes, little-endian, and its payload:
 * `u32 length` of the payload, `u8 type`, `u8[3]` zero, `u32 stream` (zero for MESSAGE).
 * The payload of END, CREDIT and RESUME is a `u64` offset into the stream; RESET has none.
 */

import { MAX_DATA_PAYLOAD, MAX_MESSAGE_PAYLOAD } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

export const FRAME_HEADER_SIZE = 12;

/** first size of a reader's buffer, in `bytes` */
const MIN_BUFFER = 4096;

export const FrameType = {
  /** a JSON text in ASCII */
  MESSAGE: 1,
  /** bytes of a stream */
  DATA: 2,
  /** the sender's last word on a stream, with the stream's whole length */
  END: 3,
  /** the receiver has consumed the stream up to an offset */
  CREDIT: 4,
  /** after a synchronisation: the receiver wants the stream from an offset on */
  RESUME: 5,
  /** the receiver wants no more of the stream, or has seen its end */
  RESET: 6,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  readonly type: FrameType;
  readonly stream: number;
  /** a view into the reader's buffer, valid until the next call */
  readonly payload: Uint8Array;
}

/** Largest payload of each type, in `bytes`. */
const MAX_PAYLOAD: Readonly<Record<number, number>> = {
  [FrameType.MESSAGE]: MAX_MESSAGE_PAYLOAD,
  [FrameType.DATA]: MAX_DATA_PAYLOAD,
  [FrameType.END]: 8,
  [FrameType.CREDIT]: 8,
  [FrameType.RESUME]: 8,
  [FrameType.RESET]: 0,
};

/** Header and payload in one new array. */
export function encodeFrame(type: FrameType, stream: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_SIZE + payload.length);
  frame.set(payload, FRAME_HEADER_SIZE);
  return frameInPlace(type, stream, frame.subarray(FRAME_HEADER_SIZE));
}

/** Writes the header over the bytes before the payload in its buffer. @returns both */
export function frameInPlace(type: FrameType, stream: number, payload: Uint8Array): Uint8Array {
  const start = payload.byteOffset - FRAME_HEADER_SIZE;
  const view = new DataView(payload.buffer, start, FRAME_HEADER_SIZE);
  view.setUint32(0, payload.length, true);
  view.setUint32(4, type, true);
  view.setUint32(8, stream, true);
  return new Uint8Array(payload.buffer, start, FRAME_HEADER_SIZE + payload.length);
}

export function encodeOffset(offset: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, offset % 0x1_0000_0000, true);
  view.setUint32(4, Math.floor(offset / 0x1_0000_0000), true);
  return bytes;
}

/** @throws ProtocolError `BAD_FRAME` for a payload that is no offset */
export function decodeOffset(payload: Uint8Array): number {
  if (payload.length !== 8)
    throw new ProtocolError("BAD_FRAME", `offset of ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, 8);
  const offset = view.getUint32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
  if (!Number.isSafeInteger(offset))
    throw new ProtocolError("BAD_FRAME", `offset ${offset} is out of range`);
  return offset;
}

/** JSON in ASCII, other characters as `\uXXXX`: neither side needs a UTF-8 codec for it. */
export function encodeJson(value: unknown): Uint8Array {
  return asciiBytes(JSON.stringify(value));
}

/** Most text is ASCII, and is spared the regular expression. */
function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7e) return asciiBytes(escaped(text));
    bytes[i] = code;
  }
  return bytes;
}

function escaped(text: string): string {
  return text.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** @throws ProtocolError `BAD_MESSAGE` for bytes that are no JSON in ASCII */
export function decodeJson(bytes: Uint8Array): unknown {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode.apply(null, asArguments(bytes.subarray(i, i + 4096)));
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError("BAD_MESSAGE", `no JSON: ${text.slice(0, 80)}`);
  }
}

/** `apply` takes anything with a length and elements, which its type does not say; spreading takes QuickJS longer. */
function asArguments(bytes: Uint8Array): number[] {
  return bytes as ArrayLike<number> as number[];
}

/**
 * Cuts a byte stream, in pieces of any size, into frames. The payload of a DATA frame is handed on as it comes, in as
 * many parts, each a view of the piece that it came in: what is much is never gathered.
 */
export class FrameReader {
  /** the start of a frame whose rest has not come: one buffer, since pieces may be much smaller than frames */
  #buffer = new Uint8Array(0);
  #length = 0;
  /** of a DATA frame that has begun: its stream, and how much of it has not come, in `bytes` */
  #stream = 0;
  #awaited = 0;

  /** Takes a piece and yields the frames that are complete, and parts of DATA. @throws ProtocolError `BAD_FRAME` */
  *read(piece: Uint8Array): Generator<Frame> {
    for (let rest = piece; rest.length > 0; ) {
      if (this.#awaited > 0) {
        const payload = rest.subarray(0, this.#awaited);
        this.#awaited -= payload.length;
        rest = rest.subarray(payload.length);
        yield { type: FrameType.DATA, stream: this.#stream, payload };
        continue;
      }
      const header = parseHeader(
        this.#length === 0 ? rest : this.#withSome(rest, FRAME_HEADER_SIZE),
      );
      if (header?.type === FrameType.DATA) {
        rest = rest.subarray(FRAME_HEADER_SIZE - this.#length);
        this.#length = 0;
        this.#stream = header.stream;
        this.#awaited = header.length;
        continue;
      }
      const wanted = FRAME_HEADER_SIZE + (header?.length ?? 0);
      const missing = wanted - this.#length;
      if (header === undefined || rest.length < missing) {
        this.#keep(rest);
        return;
      }
      const frame = this.#length === 0 ? rest : this.#withSome(rest, wanted);
      rest = rest.subarray(missing);
      this.#length = 0;
      const payload = frame.subarray(FRAME_HEADER_SIZE, wanted);
      yield { type: header.type, stream: header.stream, payload };
    }
  }

  /** What was kept, made up to `length` bytes as far as `rest` goes; nothing more is kept by it. */
  #withSome(rest: Uint8Array, length: number): Uint8Array {
    const added = rest.subarray(0, Math.max(0, length - this.#length));
    this.#reserve(this.#length + added.length);
    this.#buffer.set(added, this.#length);
    return this.#buffer.subarray(0, this.#length + added.length);
  }

  #keep(rest: Uint8Array): void {
    this.#reserve(this.#length + rest.length);
    this.#buffer.set(rest, this.#length);
    this.#length += rest.length;
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length, MIN_BUFFER));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

interface Header {
  readonly type: FrameType;
  readonly stream: number;
  /** of the payload, in `bytes` */
  readonly length: number;
}

function parseHeader(bytes: Uint8Array): Header | undefined {
  if (bytes.length < FRAME_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_SIZE);
  const length = view.getUint32(0, true);
  const type = view.getUint8(4);
  const most = MAX_PAYLOAD[type];
  if (most === undefined || (view.getUint32(4, true) & 0xffff_ff00) !== 0) {
    throw new ProtocolError("BAD_FRAME", `frame of unknown type ${view.getUint32(4, true)}`);
  }
  if (length > most)
    throw new ProtocolError(
      "BAD_FRAME",
      `frame of type ${type} has ${length} bytes, at most ${most}`,
    );
  return { type: type as FrameType, stream: view.getUint32(8, true), length };
}
