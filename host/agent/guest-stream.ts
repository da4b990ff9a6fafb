/** A process's standard streams as Node streams: backpressure here becomes credit there. */

import { Readable, Writable } from "node:stream";
import {
  type Channel,
  type IncomingStream,
  MAX_COPIED_PAYLOAD,
  type OutgoingStream,
} from "#protocol";

/** Most pieces that wait one by one: a guest that sends byte by byte must not cost an object each. */
const MAX_PIECES = 256;

/** Output of a process: what has been handed to its reader, the guest may send again. */
export class GuestReadable extends Readable {
  /** number for the process's `stdio` */
  readonly id: number;
  readonly #incoming: IncomingStream;
  readonly #channel: Channel;
  /** what has come and nobody has asked for yet: at most the stream's window */
  readonly #pending: Uint8Array[] = [];
  #wanted = false;
  #ended = false;

  constructor(channel: Channel, id: number) {
    super({ highWaterMark: MAX_COPIED_PAYLOAD });
    this.id = id;
    this.#channel = channel;
    this.#incoming = channel.openIncoming(id, {
      onData: (bytes) => {
        if (this.#pending.length >= MAX_PIECES)
          this.#pending.splice(0, MAX_PIECES, Buffer.concat(this.#pending));
        // what comes is valid during the call
        this.#pending.push(Buffer.from(bytes));
        this.#handOn();
      },
      onEnd: () => {
        this.#ended = true;
        this.#handOn();
      },
    });
  }

  override _read(): void {
    this.#wanted = true;
    this.#handOn();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#channel.resetIncoming(this.id);
    callback(error);
  }

  #handOn(): void {
    while (this.#wanted) {
      const chunk = this.#pending.shift();
      if (chunk === undefined) break;
      this.#incoming.consume(chunk.length);
      this.#wanted = this.push(chunk);
    }
    if (this.#ended && this.#pending.length === 0) {
      this.#ended = false;
      this.push(null);
    }
  }
}

/** Input of a process: a write is done when the guest has room for it. */
export class GuestWritable extends Writable {
  /** number for the process's `stdio` */
  readonly id: number;
  readonly #outgoing: OutgoingStream;
  readonly #channel: Channel;
  /** all is written, and the guest has not seen the end yet */
  #finish: (() => void) | undefined;

  /** @param takenOver whether an earlier client opened it */
  constructor(channel: Channel, id: number, takenOver = false) {
    super({ highWaterMark: MAX_COPIED_PAYLOAD });
    this.id = id;
    this.#channel = channel;
    this.#outgoing = channel.openOutgoing(id, takenOver);
    // the process closed its input or is gone: as with a pipe, whoever writes on is told
    this.#outgoing.onClose = () => {
      if (this.#finish !== undefined) this.#finish();
      else this.destroy();
    };
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#writeFrom(chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    // until the guest has seen the end the channel needs what is kept: for its first transport, or for a further one
    this.#finish = () => {
      this.#finish = undefined;
      callback();
    };
    this.#outgoing.end();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#channel.dropOutgoing(this.id);
    callback(error);
  }

  #writeFrom(chunk: Uint8Array, done: () => void): void {
    const piece = chunk.subarray(0, this.#outgoing.room);
    this.#outgoing.write(piece);
    const rest = chunk.subarray(piece.length);
    if (rest.length === 0) {
      done();
      return;
    }
    this.#outgoing.onRoom = () => {
      this.#outgoing.onRoom = () => {};
      this.#writeFrom(rest, done);
    };
  }
}
