/** Output of a process, from its pipe or terminal into a stream to the host. */

import { POLLIN } from "../linux/poll.ts";
import { FRAME_HEADER_SIZE, type OutgoingStream } from "../protocol/index.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/** Read at a time, in `bytes`: what a process's pipe holds (stdio.ts), less the header of the frame that it becomes. */
const PIECE = 256 * 1024 - FRAME_HEADER_SIZE;
/** What is longer than this goes out of the buffer that it was read into; what is shorter is copied, in `bytes`. */
const LONG = 128 * 1024;
/** Of the window, in `bytes`: with less of it the next piece waits, since a turn costs more than what it moves. */
const ROOM_WORTHWHILE = 192 * 1024;

/** Pieces read before other descriptors have their turn. */
const PIECES_A_TURN = 2;

/** No pipe holds more unless root asks for it (/proc/sys/fs/pipe-max-size), in `bytes`. */
const MOST_AFTER_EXIT = 1024 * 1024;

/** Buffers that no stream has: new ones have to be cleared, and their pages brought in. */
const spare: Uint8Array[] = [];
const MOST_SPARE = 4;

/**
 * Reads as long as the stream has room, so that a slow reader stalls the process and nothing else.
 *
 * When the host wants no more, the output is read and thrown away: the process is not to suffer.
 */
export class OutputPump {
  readonly #sys: Syscalls;
  readonly #loop: EventLoop;
  readonly #fd: Fd;
  readonly #stream: OutgoingStream;
  readonly #onEnd: () => void;
  readonly #watch: Watch;
  /** how much is still read, in `bytes`; finite once the process has ended */
  #left = Number.POSITIVE_INFINITY;
  #ended = false;

  constructor(options: {
    readonly sys: Syscalls;
    readonly loop: EventLoop;
    /** non-blocking; the pump does not close it */
    readonly fd: Fd;
    readonly stream: OutgoingStream;
    /** the last byte is in the stream */
    readonly onEnd: () => void;
  }) {
    this.#sys = options.sys;
    this.#loop = options.loop;
    this.#fd = options.fd;
    this.#stream = options.stream;
    this.#onEnd = options.onEnd;
    this.#watch = this.#loop.watch(this.#fd, POLLIN, () => this.#read());
    this.#stream.onRoom = () => this.#resume();
    this.#stream.onClose = () => this.#resume();
  }

  /**
   * The process has ended: what is in the pipe is all that counts, even when a process that it left behind holds the
   * other end.
   */
  drain(): void {
    this.#left = Math.min(this.#left, MOST_AFTER_EXIT);
    while (!this.#ended && this.#watch.events !== 0) this.#read();
  }

  #resume(): void {
    if (this.#ended) return;
    this.#watch.events = POLLIN;
    if (Number.isFinite(this.#left)) this.drain();
  }

  #read(): void {
    for (let piece = 0; piece < PIECES_A_TURN; piece++) if (!this.#readPiece()) return;
  }

  /** @returns whether more may be there */
  #readPiece(): boolean {
    const room = this.#room();
    if (room === 0) {
      this.#watch.events = 0;
      return false;
    }
    const buffer = spare.pop() ?? new Uint8Array(FRAME_HEADER_SIZE + PIECE);
    const length = this.#readSome(buffer.subarray(FRAME_HEADER_SIZE, FRAME_HEADER_SIZE + room));
    if (length === undefined || length === 0) giveBack(buffer);
    if (length === undefined) {
      if (Number.isFinite(this.#left)) this.#end();
      return false;
    }
    this.#left -= length;
    if (length > 0) this.#send(buffer, length);
    if (length === 0 || this.#left <= 0) this.#end();
    return length === room && !this.#ended;
  }

  /** How much is read next, in `bytes`. */
  #room(): number {
    const { closed, room, isIdle } = this.#stream;
    if (closed) return PIECE;
    return room < ROOM_WORTHWHILE && !isIdle ? 0 : Math.min(room, PIECE);
  }

  /** @param buffer holds the output behind the place for a header */
  #send(buffer: Uint8Array, length: number): void {
    const end = FRAME_HEADER_SIZE + length;
    if (length > LONG) {
      const view = buffer.subarray(FRAME_HEADER_SIZE, end);
      this.#stream.write(view, true, () => giveBack(buffer));
      return;
    }
    const copy = buffer.slice(0, end).subarray(FRAME_HEADER_SIZE);
    giveBack(buffer);
    this.#stream.write(copy, true);
  }

  /** `undefined` when there is nothing now, 0 at the end. */
  #readSome(target: Uint8Array): number | undefined {
    try {
      return this.#sys.read(this.#fd, target);
    } catch (error) {
      if (isSyscallError(error, "EAGAIN")) return undefined;
      // a terminal whose last user is gone (pty(7))
      if (isSyscallError(error, "EIO")) return 0;
      throw error;
    }
  }

  #end(): void {
    this.#ended = true;
    this.#loop.unwatch(this.#watch);
    this.#stream.end();
    this.#onEnd();
  }
}

function giveBack(buffer: Uint8Array): void {
  if (spare.length < MOST_SPARE) spare.push(buffer);
}
