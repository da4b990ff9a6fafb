/** Output of a process, from its pipe or terminal into a stream to the host. */

import { POLLIN } from "../linux/poll.ts";
import {
  FRAME_HEADER_SIZE,
  MAX_DATA_PAYLOAD,
  type OutgoingStream,
  STREAM_WINDOW,
} from "../protocol/index.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/** What a process's pipe holds (stdio.ts), less the header of the frame that it becomes, in `bytes`. */
const PIECE = MAX_DATA_PAYLOAD - FRAME_HEADER_SIZE;
/** Read at a time where there is not much, in `bytes`: most processes say little, and no more is brought in for them. */
const FIRST_PIECE = 64 * 1024;
/** What is longer than this goes out of the buffer that it was read into; what is shorter is copied, in `bytes`. */
const LONG = 128 * 1024;
/** Of the window, in `bytes`: with less of it the next piece waits, since a turn costs more than what it moves. */
const ROOM_WORTHWHILE = (PIECE / 4) * 3;

/** No pipe holds more unless root asks for it (/proc/sys/fs/pipe-max-size), in `bytes`. */
const MOST_AFTER_EXIT = 1024 * 1024;

/** Buffers that no stream has: new ones have to be cleared, and their pages brought in. */
let spare: Uint8Array[] = [];
const MOST_SPARE = STREAM_WINDOW / MAX_DATA_PAYLOAD;
/** Pumps that have not ended: with the last of them the spare buffers go. */
let pumps = 0;

/** For all pumps, which copy out of it: there is one thread. */
let firstBuffer: Uint8Array | undefined;

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
  /** whether the last piece was long enough for a buffer of its own */
  #isMuch = false;

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
    pumps++;
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
    const room = this.#room();
    if (room === 0) {
      this.#watch.events = 0;
      return;
    }
    const buffer = this.#isMuch ? takeBuffer() : takeFirstBuffer();
    const end = Math.min(FRAME_HEADER_SIZE + room, buffer.length);
    const length = this.#readSome(buffer.subarray(FRAME_HEADER_SIZE, end));
    const isSent = this.#send(buffer, length ?? 0);
    if (this.#isMuch && !isSent) giveBack(buffer);
    if (length === undefined) {
      if (Number.isFinite(this.#left)) this.#end();
      return;
    }
    this.#left -= length;
    if (length === 0 || this.#left <= 0) this.#end();
    this.#isMuch = length > LONG || length === FIRST_PIECE;
  }

  /** How much is read next, in `bytes`. */
  #room(): number {
    const { closed, room, isIdle } = this.#stream;
    if (closed) return PIECE;
    return room < ROOM_WORTHWHILE && !isIdle ? 0 : Math.min(room, PIECE);
  }

  /** @param buffer holds the output behind the place for a header @returns whether the stream has the buffer now */
  #send(buffer: Uint8Array, length: number): boolean {
    const end = FRAME_HEADER_SIZE + length;
    if (length > LONG) {
      const view = buffer.subarray(FRAME_HEADER_SIZE, end);
      this.#stream.write(view, true, () => giveBack(buffer));
      return true;
    }
    if (length > 0) {
      this.#stream.write(buffer.slice(0, end).subarray(FRAME_HEADER_SIZE), true);
    }
    return false;
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
    if (--pumps === 0) spare = [];
    this.#loop.unwatch(this.#watch);
    this.#stream.end();
    this.#onEnd();
  }
}

function takeFirstBuffer(): Uint8Array {
  firstBuffer ??= new Uint8Array(FRAME_HEADER_SIZE + FIRST_PIECE);
  return firstBuffer;
}

function takeBuffer(): Uint8Array {
  return spare.pop() ?? new Uint8Array(FRAME_HEADER_SIZE + PIECE);
}

function giveBack(buffer: Uint8Array): void {
  if (pumps > 0 && spare.length < MOST_SPARE) spare.push(buffer);
}
