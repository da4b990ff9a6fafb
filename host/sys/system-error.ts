/** The error of a failed system call: which call, on what, and the errno it left. */

import koffi from "koffi";

/** Errno names by number, in the C spelling. */
const names = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

/** A system call that failed. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** errno in C spelling, such as `EACCES`; `E` and the number when it has no name */
  readonly code: string;
  /** errno as a number */
  readonly errno: number;
  /** name of the call that failed */
  readonly call: string;

  constructor(call: string, subject: string, errno: number) {
    const code = names.get(errno) ?? `E${errno}`;
    super(`${call} ${subject}: ${code}`);
    this.call = call;
    this.code = code;
    this.errno = errno;
  }
}

/**
 * Returns `result`, or throws the `SystemError` of a call that returned a negative number. To be called
 * before anything else touches errno.
 */
export function checked(call: string, subject: string, result: number): number {
  if (result < 0) throw new SystemError(call, subject, koffi.errno());
  return result;
}
