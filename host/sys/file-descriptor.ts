/** An open file descriptor that its owner closes by `using`. */

import { constants } from "node:fs";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

// The path is copied by koffi for the length of the call.
const open = foreign<(path: string, flags: number, mode: number) => number>(
  "int open(const char *path, int flags, unsigned int mode)",
);
const close = foreign<(fd: number) => number>("int close(int fd)");

/** Linux `O_CLOEXEC`, which Node does not name (asm-generic/fcntl.h). */
export const O_CLOEXEC = 0o2000000;

/** Linux `O_PATH` (asm-generic/fcntl.h): a descriptor that stands for a file and opens none. */
export const O_PATH = 0o10000000;

/** Owner of one descriptor of this process; closing twice does no harm. */
export class FileDescriptor implements Disposable {
  readonly number: number;
  #open = true;

  /** Takes over a descriptor that the caller owns. */
  constructor(number: number) {
    this.number = number;
  }

  /**
   * Opens a path, close-on-exec; a file that it makes is the user's alone.
   *
   * @throws {SystemError} naming the path
   */
  static open(path: string, flags: number = constants.O_RDONLY): FileDescriptor {
    return new FileDescriptor(checked("open", path, open(path, flags | O_CLOEXEC, 0o600)));
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    // Linux frees the descriptor even where close reports an error, so there is nothing to retry.
    close(this.number);
  }
}
