/** Input of a process, from a stream of the host into its pipe or terminal. */

import { POLLOUT } from "../linux/poll.ts";
import type { Channel, IncomingHandlers, IncomingStream } from "../protocol/index.ts";
import { type Fd, isSyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import type { EventLoop, Watch } from "./event-loop.ts";

/** Credit is granted as the process takes the bytes, so at most one window waits here. */
export class InputPump implements IncomingHandlers {
  readonly #sys: Syscalls;
  readonly #loop: EventLoop;
  readonly #fd: Fd;
  readonly #onEnd: () => void;
  readonly #watch: Watch;
  #stream: IncomingStream | undefined;
  #waiting: Uint8Array[] = [];
  /** the host has sent all */
  #complete = false;
  /** the process takes no more */
  #broken = false;
  #stopped = false;

  constructor(options: {
    readonly sys: Syscalls;
    readonly loop: EventLoop;
    /** non-blocking; the pump does not close it */
    readonly fd: Fd;
    /** all input is written: a pipe is to be closed, which the process reads as the end */
    readonly onEnd: () => void;
  }) {
    this.#sys = options.sys;
    this.#loop = options.loop;
    this.#fd = options.fd;
    this.#onEnd = options.onEnd;
    this.#watch = this.#loop.watch(this.#fd, 0, () => this.#write());
  }

  /** Says which stream the input comes from, before its first byte. */
  attach(stream: IncomingStream): void {
    this.#stream = stream;
  }

  /** The host has come back and must know where to go on. */
  resume(channel: Channel): void {
    if (this.#stream !== undefined && !this.#complete) channel.resumeIncoming(this.#stream);
  }

  readonly onData = (bytes: Uint8Array): void => {
    if (this.#broken || this.#stopped) {
      this.#stream?.consume(bytes.length);
      return;
    }
    this.#waiting.push(bytes.slice());
    if (this.#watch.events === 0) this.#write();
  };

  readonly onEnd = (): void => {
    this.#complete = true;
    this.#finish();
  };

  /** The descriptor is about to be closed. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#loop.unwatch(this.#watch);
    this.#drop();
  }

  #write(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const length = this.#writeSome(first);
      if (length === undefined) {
        this.#watch.events = POLLOUT;
        return;
      }
      if (length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(length);
      this.#stream?.consume(length);
    }
    this.#watch.events = 0;
    this.#finish();
  }

  /** `undefined` when nothing can be written now. */
  #writeSome(bytes: Uint8Array): number | undefined {
    try {
      return this.#sys.write(this.#fd, bytes);
    } catch (error) {
      if (isSyscallError(error, "EAGAIN")) return undefined;
      if (!isSyscallError(error, "EPIPE", "EIO")) throw error;
      this.#broken = true;
      return bytes.length;
    }
  }

  #finish(): void {
    if (!this.#complete || this.#waiting.length > 0 || this.#stopped) return;
    this.stop();
    this.#onEnd();
  }

  /** What nobody will read is as good as consumed: the host's writer is not to wait for it. */
  #drop(): void {
    for (const { length } of this.#waiting) this.#stream?.consume(length);
    this.#waiting = [];
  }
}
