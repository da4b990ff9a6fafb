/**
 * A channel: messages and flow-controlled streams over one byte stream, the same code on both sides.
 *
 * Output is pulled: whoever owns the transport calls `nextOutput` while the transport takes more, so nothing
 * piles up behind a slow one. Messages go first, then the streams in turn, one piece each.
 */

import {
  decodeJson,
  decodeOffset,
  encodeFrame,
  encodeJson,
  encodeOffset,
  type Frame,
  FrameReader,
  FrameType,
} from "./frame.ts";
import { CREDIT_STEP, MAX_MESSAGE_PAYLOAD, MAX_STREAMS, MAX_WAITING_FRAMES } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import { type IncomingHandlers, IncomingStream, OutgoingStream } from "./stream.ts";
import { SyncSearch, syncOpening } from "./synchroniser.ts";

export interface ChannelHandlers {
  /** a message came, not yet validated */
  readonly onMessage: (value: unknown) => void;
  /** both sides have found a common start; what was queued may go out */
  readonly onSynchronised: () => void;
  /** there is output to pull */
  readonly onOutput: () => void;
  /** how far its outgoing streams may be ahead of their receivers, in `bytes`; absent: as far as any */
  readonly window?: number;
}

export class Channel {
  readonly #handlers: ChannelHandlers;
  #search: SyncSearch;
  #synchronised = false;
  /** host: whether the opening is queued, behind which messages may follow at once */
  #opened = false;
  #reader = new FrameReader();
  #urgent: Uint8Array[] = [];
  #creditStep = CREDIT_STEP;
  readonly #outgoing = new Map<number, OutgoingStream>();
  readonly #incoming = new Map<number, IncomingStream>();

  constructor(handlers: ChannelHandlers) {
    this.#handlers = handlers;
    this.#search = new SyncSearch();
  }

  /**
   * Host: opens a conversation on a new connection. Messages that are sent from here on reach the guest right behind
   * the opening; that is for a guest that was not spoken to before, since the middle of an earlier conversation may
   * swallow some of them.
   *
   * @param nonce 16 random bytes
   */
  open(nonce: Uint8Array): void {
    this.lost();
    const opening = syncOpening(nonce);
    this.#search = new SyncSearch(opening);
    this.#opened = true;
    this.#urgent.push(opening);
    this.#handlers.onOutput();
  }

  /** Guest: says one byte, which the host skips: a host that waits for a sign of life has it before it speaks. */
  announce(): void {
    this.#urgent.push(new Uint8Array(1));
    this.#handlers.onOutput();
  }

  /** The connection is gone: streams wait where they are, messages that were not sent are dropped. */
  lost(): void {
    this.#synchronised = false;
    this.#opened = false;
    this.#search = new SyncSearch();
    this.#reader = new FrameReader();
    this.#urgent = [];
    for (const stream of this.#outgoing.values()) stream.pause();
  }

  get synchronised(): boolean {
    return this.#synchronised;
  }

  /**
   * Queues a message; without a synchronised peer it is dropped, as the state it tells of is told again by hello.
   * @throws ProtocolError `BAD_MESSAGE` for one that is too long
   */
  send(message: unknown): void {
    const payload = encodeJson(message);
    if (payload.length > MAX_MESSAGE_PAYLOAD) {
      throw new ProtocolError(
        "BAD_MESSAGE",
        `message of ${payload.length} bytes, at most ${MAX_MESSAGE_PAYLOAD}`,
      );
    }
    this.#sendFrame(FrameType.MESSAGE, 0, payload);
  }

  /**
   * @param takenOver whether an earlier sender began the stream
   * @throws ProtocolError `BAD_STREAM` when the number is taken or there are too many
   */
  openOutgoing(id: number, takenOver = false): OutgoingStream {
    claim(this.#outgoing, id);
    const { window } = this.#handlers;
    const stream = new OutgoingStream(id, () => this.#handlers.onOutput(), {
      takenOver,
      ...(window === undefined ? {} : { window }),
    });
    this.#outgoing.set(id, stream);
    return stream;
  }

  /** @throws ProtocolError `BAD_STREAM` when the number is taken or there are too many */
  openIncoming(id: number, handlers: IncomingHandlers, offset = 0): IncomingStream {
    claim(this.#incoming, id);
    const sendCredit = (consumed: number) =>
      this.#sendFrame(FrameType.CREDIT, id, encodeOffset(consumed));
    const creditStep = () => this.#creditStep;
    const stream = new IncomingStream({ id, offset, handlers, sendCredit, creditStep });
    this.#incoming.set(id, stream);
    return stream;
  }

  /** How much is consumed of an incoming stream before the peer is told again, in `bytes`. */
  set creditStep(step: number) {
    this.#creditStep = step;
  }

  /** Asks the peer to send an incoming stream on from where this side stands; after a synchronisation only. */
  resumeIncoming(stream: IncomingStream): void {
    this.#sendFrame(FrameType.RESUME, stream.id, encodeOffset(stream.received));
  }

  /** This side wants no more of an incoming stream. */
  resetIncoming(id: number): void {
    if (this.#incoming.delete(id)) this.#sendFrame(FrameType.RESET, id, new Uint8Array(0));
  }

  /** Forgets an outgoing stream without a word. */
  dropOutgoing(id: number): void {
    const stream = this.#outgoing.get(id);
    this.#outgoing.delete(id);
    stream?.close();
  }

  /** The next bytes for the transport, or nothing. */
  nextOutput(): Uint8Array | undefined {
    const first = this.#urgent.shift();
    if (first !== undefined) return first;
    if (!this.#synchronised) return undefined;
    for (const [id, stream] of this.#outgoing) {
      const frame = stream.next();
      if (frame === undefined) continue;
      // back of the queue: the other streams come first next time
      if (this.#outgoing.size > 1) {
        this.#outgoing.delete(id);
        this.#outgoing.set(id, stream);
      }
      return frame;
    }
    return undefined;
  }

  /** Takes bytes from the transport. @throws ProtocolError when the peer breaks the protocol */
  receive(piece: Uint8Array): void {
    let rest = piece;
    if (!this.#synchronised) {
      const found = this.#search.search(piece);
      if (found === undefined) return;
      this.#synchronise(found.opening);
      rest = found.rest;
    }
    for (const frame of this.#reader.read(rest)) {
      this.#dispatch(frame);
      this.#refuseFlood();
    }
  }

  /** A peer whose frames want answers, and that takes none of them, is not to fill this side's memory. */
  #refuseFlood(): void {
    if (this.#urgent.length <= MAX_WAITING_FRAMES) return;
    throw new ProtocolError(
      "BAD_FRAME",
      `more than ${MAX_WAITING_FRAMES} answers wait for a peer that reads none`,
    );
  }

  #synchronise(opening: Uint8Array): void {
    const answering = this.#search.answering;
    this.#synchronised = true;
    if (answering) this.#urgent.unshift(opening);
    this.#handlers.onSynchronised();
    this.#handlers.onOutput();
  }

  #dispatch({ type, stream, payload }: Frame): void {
    switch (type) {
      case FrameType.MESSAGE:
        this.#handlers.onMessage(decodeJson(payload));
        break;
      case FrameType.DATA:
        // a stream that this side has reset may still have bytes on their way
        this.#incoming.get(stream)?.data(payload);
        break;
      case FrameType.END:
        this.#end(stream, decodeOffset(payload));
        break;
      case FrameType.CREDIT:
        this.#outgoing.get(stream)?.credit(decodeOffset(payload));
        break;
      case FrameType.RESUME:
        this.#resume(stream, decodeOffset(payload));
        break;
      case FrameType.RESET:
        this.dropOutgoing(stream);
        break;
    }
  }

  #end(id: number, length: number): void {
    const stream = this.#incoming.get(id);
    if (stream === undefined) return;
    stream.end(length);
    this.resetIncoming(id);
  }

  #resume(id: number, offset: number): void {
    const stream = this.#outgoing.get(id);
    // the stream was closed while the peer was away: say so with an empty end
    if (stream === undefined) this.#sendFrame(FrameType.END, id, encodeOffset(offset));
    else stream.resume(offset);
  }

  #sendFrame(type: FrameType, stream: number, payload: Uint8Array): void {
    if (!this.#synchronised && !this.#opened) return;
    this.#urgent.push(encodeFrame(type, stream, payload));
    this.#handlers.onOutput();
  }
}

function claim(streams: ReadonlyMap<number, unknown>, id: number): void {
  if (streams.has(id)) throw new ProtocolError("BAD_STREAM", `stream ${id} is open already`);
  if (streams.size >= MAX_STREAMS)
    throw new ProtocolError("BAD_STREAM", `more than ${MAX_STREAMS} streams`);
}
