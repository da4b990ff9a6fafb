/** The two ends of a flow-controlled stream; what is not acknowledged is kept, so a broken connection loses nothing. */

import { encodeFrame, encodeOffset, FrameType, frameInPlace } from "./frame.ts";
import { MAX_COPIED_PAYLOAD, MAX_DATA_PAYLOAD, STREAM_WINDOW } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Most pieces that are kept as they were written: what a process writes byte by byte must not cost an array each. */
const MAX_PIECES = 64;

/** What was written. */
interface Piece {
  readonly bytes: Uint8Array;
  /** whether its frame's header has its place before it */
  readonly isFramed: boolean;
  /** nobody will ask for it any more */
  readonly onDone?: (() => void) | undefined;
}

export interface OutgoingOptions {
  readonly takenOver?: boolean;
  readonly window?: number;
}

/** The sending end: keeps at most a window of bytes that the peer has not consumed. */
export class OutgoingStream {
  readonly id: number;
  /** called when there is room again */
  onRoom: () => void = () => {};
  /** called when the receiver wants no more, or has seen the end */
  onClose: () => void = () => {};
  readonly #wake: () => void;
  readonly #window: number;
  #kept: Piece[] = [];
  /** offset of the first kept byte */
  #consumed = 0;
  #sent = 0;
  #written = 0;
  #ended = false;
  #endSent = false;
  #closed = false;
  #paused = false;
  /** the peer knows where the stream stands and has not said so yet */
  #unplaced: boolean;

  /**
   * @param options `takenOver`: whether an earlier sender began it; nothing is sent until the peer says from where.
   * `window`: how far it may be ahead of its receiver, in `bytes`
   */
  constructor(
    id: number,
    wake: () => void,
    { takenOver = false, window = STREAM_WINDOW }: OutgoingOptions = {},
  ) {
    this.id = id;
    this.#wake = wake;
    this.#window = window;
    this.#unplaced = takenOver;
    this.#paused = takenOver;
  }

  /** how much may be written now, in `bytes` */
  get room(): number {
    return this.#ended || this.#closed ? 0 : this.#window - (this.#written - this.#consumed);
  }

  /** whether the receiver has consumed all that was written */
  get isIdle(): boolean {
    return this.#written === this.#consumed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes a copy of nothing: `bytes` must not change before `onDone`.
   *
   * @param isFramed whether the `FRAME_HEADER_SIZE` bytes before it in its buffer are the stream's to use
   * @throws RangeError for more than `room`
   */
  write(bytes: Uint8Array, isFramed = false, onDone?: () => void): void {
    if (this.#closed || bytes.length === 0) {
      onDone?.();
      return;
    }
    if (bytes.length > this.room)
      throw new RangeError(`write of ${bytes.length} bytes, room for ${this.room}`);
    if (this.#kept.length >= MAX_PIECES) this.#join();
    const isFrame = isFramed && bytes.length <= MAX_DATA_PAYLOAD;
    this.#kept.push({ bytes, isFramed: isFrame, onDone });
    this.#written += bytes.length;
    this.#wake();
  }

  /** No more will be written. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#wake();
  }

  /** The next DATA or END frame. */
  next(): Uint8Array | undefined {
    if (this.#closed || this.#paused) return undefined;
    const data = this.#unsent();
    if (data !== undefined) return data;
    if (!this.#ended || this.#endSent) return undefined;
    this.#endSent = true;
    return encodeFrame(FrameType.END, this.id, encodeOffset(this.#written));
  }

  /** @throws ProtocolError `BAD_STREAM` for an offset that was never sent or goes backwards */
  credit(offset: number): void {
    if (offset < this.#consumed || offset > this.#sent) {
      throw new ProtocolError(
        "BAD_STREAM",
        `stream ${this.id}: credit for ${offset}, sent ${this.#sent}`,
      );
    }
    this.#drop(offset);
    if (this.room > 0) this.onRoom();
  }

  /** The connection broke: nothing is sent until the peer says from where. */
  pause(): void {
    this.#paused = true;
  }

  /** @throws ProtocolError `BAD_STREAM` for an offset that is no longer kept or was never written */
  resume(offset: number): void {
    if (this.#unplaced) this.#place(offset);
    if (offset < this.#consumed || offset > this.#written) {
      throw new ProtocolError(
        "BAD_STREAM",
        `stream ${this.id}: resume from ${offset}, kept from ${this.#consumed}`,
      );
    }
    this.#drop(offset);
    this.#sent = offset;
    this.#endSent = false;
    this.#paused = false;
    this.#wake();
    if (this.room > 0) this.onRoom();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { onDone } of this.#kept) onDone?.();
    this.#kept = [];
    this.onClose();
  }

  /** What was written since the stream was taken over follows what the peer has. */
  #place(offset: number): void {
    this.#unplaced = false;
    this.#consumed = offset;
    this.#sent = offset;
    this.#written += offset;
  }

  #unsent(): Uint8Array | undefined {
    let start = this.#consumed;
    for (const { bytes, isFramed } of this.#kept) {
      const skip = this.#sent - start;
      if (skip < bytes.length) {
        const payload =
          skip === 0 && isFramed ? bytes : bytes.subarray(skip, skip + MAX_COPIED_PAYLOAD);
        this.#sent += payload.length;
        return payload === bytes
          ? frameInPlace(FrameType.DATA, this.id, bytes)
          : encodeFrame(FrameType.DATA, this.id, payload);
      }
      start += bytes.length;
    }
    return undefined;
  }

  #join(): void {
    const pieces = this.#kept;
    this.#kept = [joined(pieces)];
    for (const { onDone } of pieces) onDone?.();
  }

  #drop(offset: number): void {
    let skip = offset - this.#consumed;
    while (skip > 0) {
      const first = this.#kept[0];
      if (first === undefined) break;
      const { bytes } = first;
      if (bytes.length > skip) {
        this.#kept[0] = { ...first, bytes: bytes.subarray(skip), isFramed: false };
        break;
      }
      this.#kept.shift();
      first.onDone?.();
      skip -= bytes.length;
    }
    this.#consumed = offset;
    this.#sent = Math.max(this.#sent, offset);
  }
}

function joined(pieces: readonly Piece[]): Piece {
  const whole = new Uint8Array(pieces.reduce((length, { bytes }) => length + bytes.length, 0));
  let at = 0;
  for (const { bytes } of pieces) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return { bytes: whole, isFramed: false };
}

/** What a receiver is told; `onData` gets views of what the transport brought, valid during the call. */
export interface IncomingHandlers {
  readonly onData: (bytes: Uint8Array) => void;
  readonly onEnd: () => void;
}

/** The receiving end: hands bytes on and grants credit as they are consumed. */
export class IncomingStream {
  readonly id: number;
  readonly #handlers: IncomingHandlers;
  readonly #sendCredit: (offset: number) => void;
  readonly #creditStep: () => number;
  #received: number;
  #consumed: number;
  #credited: number;

  /** @param offset where in the stream this receiver begins: not 0 when it takes over from an earlier one */
  constructor(options: {
    readonly id: number;
    readonly offset: number;
    readonly handlers: IncomingHandlers;
    readonly sendCredit: (offset: number) => void;
    /** in `bytes` */
    readonly creditStep: () => number;
  }) {
    this.id = options.id;
    this.#handlers = options.handlers;
    this.#sendCredit = options.sendCredit;
    this.#creditStep = options.creditStep;
    this.#received = options.offset;
    this.#consumed = options.offset;
    this.#credited = options.offset;
  }

  /** offset after the last byte received */
  get received(): number {
    return this.#received;
  }

  /** `bytes` more of what was received are done with; the sender may send as many again. */
  consume(bytes: number): void {
    this.#consumed = Math.min(this.#consumed + bytes, this.#received);
    if (this.#consumed - this.#credited < this.#creditStep()) return;
    this.#credited = this.#consumed;
    this.#sendCredit(this.#consumed);
  }

  /** @throws ProtocolError `BAD_STREAM` when the sender exceeds its window */
  data(bytes: Uint8Array): void {
    if (this.#received + bytes.length - this.#credited > STREAM_WINDOW) {
      throw new ProtocolError(
        "BAD_STREAM",
        `stream ${this.id}: more than the window of ${STREAM_WINDOW} bytes`,
      );
    }
    this.#received += bytes.length;
    this.#handlers.onData(bytes);
  }

  /** @throws ProtocolError `BAD_STREAM` when the length is not what was received */
  end(length: number): void {
    if (length !== this.#received) {
      throw new ProtocolError(
        "BAD_STREAM",
        `stream ${this.id}: ends at ${length}, received ${this.#received}`,
      );
    }
    this.#handlers.onEnd();
  }
}
