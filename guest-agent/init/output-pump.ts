/** Output of a process, from its pipe or terminal into a stream to the host. */

import { POLLIN } from "../linux/poll.ts";
import { FRAME_HEADER_SIZE, type OutgoingStream } from "../protocol/index.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/**
 * Read at a time, in `bytes`: what a pipe holds (linux/pipe_fs_i.h PIPE_DEF_BUFFERS), with its header two of the
 * pieces that the port takes (Linux drivers/char/virtio_console.c port_fops_write).
 */
const PIECE = 64 * 1024 - FRAME_HEADER_SIZE;
/** What is longer than this is read into a frame of its own rather than copied into one, in `bytes`. */
const LONG = 16 * 1024;

/** Pieces read before other descriptors have their turn. */
const PIECES_A_TURN = 4;

/** No pipe holds more unless root asks for it (/proc/sys/fs/pipe-max-size), in `bytes`. */
const MOST_AFTER_EXIT = 1024 * 1024;

/** shared by all pumps: what is short is copied into an array of its own size */
const buffer = new Uint8Array(PIECE);

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
  /** whether the last piece was long: so may the next one be */
  #wasLong = false;
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
    const room = this.#stream.closed ? PIECE : Math.min(this.#stream.room, PIECE);
    if (room === 0) {
      this.#watch.events = 0;
      return false;
    }
    const frame = this.#wasLong ? new Uint8Array(FRAME_HEADER_SIZE + room) : undefined;
    const target = frame?.subarray(FRAME_HEADER_SIZE) ?? buffer.subarray(0, room);
    const length = this.#readSome(target);
    if (length === undefined) {
      if (Number.isFinite(this.#left)) this.#end();
      return false;
    }
    this.#left -= length;
    this.#wasLong = length > LONG;
    if (frame !== undefined && this.#wasLong) this.#stream.write(target.subarray(0, length), true);
    else this.#stream.write(target.slice(0, length));
    if (length === 0 || this.#left <= 0) this.#end();
    return length === PIECE && !this.#ended;
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
