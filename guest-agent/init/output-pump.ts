/** Output of a process, from its pipe or terminal into a stream to the host. */

import { POLLIN } from "../linux/poll.ts";
import type { OutgoingStream } from "../protocol/index.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/** Read at a time, in `bytes`. */
const PIECE = 32 * 1024;

/** No pipe holds more unless root asks for it (/proc/sys/fs/pipe-max-size), in `bytes`. */
const MOST_AFTER_EXIT = 1024 * 1024;

/** shared by all pumps: what is read is copied into an array of its own size */
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
    const room = this.#stream.closed ? PIECE : Math.min(this.#stream.room, PIECE);
    if (room === 0) {
      this.#watch.events = 0;
      return;
    }
    const length = this.#readSome(room);
    if (length === undefined) {
      if (Number.isFinite(this.#left)) this.#end();
      return;
    }
    this.#left -= length;
    this.#stream.write(buffer.slice(0, length));
    if (length === 0 || this.#left <= 0) this.#end();
  }

  /** `undefined` when there is nothing now, 0 at the end. */
  #readSome(room: number): number | undefined {
    try {
      return this.#sys.read(this.#fd, buffer.subarray(0, room));
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
