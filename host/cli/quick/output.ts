/** One of the process's own outputs, written to without waiting for its reader. */

import { ERRNO } from "#linux/errno";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_WRONLY } from "#linux/fcntl";
import { POLLOUT } from "#linux/poll";
import { S_IFIFO, S_IFMT, S_IFREG, STAT } from "#linux/stat";
import { attempt } from "../../sys/quickjs/calls.ts";
import { type Watched, waitFor } from "./event-loop.ts";

/** What fits wherever poll(2) says that something does (PIPE_BUF of pipe(7)), in `bytes`. */
const SMALL = 4096;

export class Output {
  /** error number of a write that failed; nothing is written after it */
  failure: number | undefined;
  /** bytes that were handed to it, or thrown away after a failure */
  taken = 0;
  readonly #fd: number;
  readonly #atOnce: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(fd: number) {
    const type = typeOf(fd);
    // a description of our own does not block, and others' of the same pipe stay as they are
    const own = type === S_IFIFO ? reopen(fd) : -1;
    this.#fd = own < 0 ? fd : own;
    this.#atOnce = own >= 0 || type === S_IFREG ? Number.POSITIVE_INFINITY : SMALL;
  }

  /** whether something waits for its reader */
  get isFull(): boolean {
    return this.#rest.length > 0;
  }

  /** Only while it is not full. @param bytes are written, or kept as a copy */
  write(bytes: Uint8Array): void {
    this.taken += bytes.length;
    this.#rest = bytes;
    this.#go();
    if (this.isFull) this.#rest = this.#rest.slice();
  }

  /** For the event loop, while it is full. */
  watched(): Watched {
    return { fd: this.#fd, events: POLLOUT, onReady: () => this.#go() };
  }

  #go(): void {
    while (this.isFull && this.failure === undefined && this.#hasRoom()) {
      const length = Math.min(this.#rest.length, this.#atOnce);
      const written = attempt("write", this.#fd, this.#rest, length);
      if (written >= 0) this.#rest = this.#rest.subarray(written);
      else if (written === -ERRNO.EAGAIN) return;
      else if (written !== -ERRNO.EINTR) this.failure = -written;
    }
    if (this.failure !== undefined) this.#rest = new Uint8Array(0);
  }

  /** One that blocks is asked first. */
  #hasRoom(): boolean {
    if (this.#atOnce !== SMALL) return true;
    let isReady = false;
    const onReady = () => {
      isReady = true;
    };
    waitFor([{ fd: this.#fd, events: POLLOUT, onReady }], 0);
    return isReady;
  }
}

function typeOf(fd: number): number {
  const status = new DataView(new ArrayBuffer(STAT.size));
  if (attempt("fstat", fd, status) < 0) return 0;
  return status.getUint32(STAT.fields.st_mode.offset, true) & S_IFMT;
}

function reopen(fd: number): number {
  const flags = O_WRONLY | O_NONBLOCK | O_CLOEXEC;
  return attempt("openat", AT_FDCWD, `/proc/self/fd/${fd}`, flags, 0);
}
