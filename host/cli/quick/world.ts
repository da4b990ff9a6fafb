/** What the process was given: words, environment, working folder. */

import { ERRNO } from "#linux/errno";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_RDWR } from "#linux/fcntl";
import { POLLOUT } from "#linux/poll";
import { STAT } from "#linux/stat";
import { TIOCGWINSZ, WINSIZE } from "#linux/tty";
import { attempt, bytesOf, call, textOf } from "../../sys/quickjs/calls.ts";
import { waitFor } from "./event-loop.ts";

let known: Readonly<Record<string, string | undefined>> | undefined;

/** Each as `NAME=VALUE`, in order, as execve(2) takes them. */
export function environmentWords(): string[] {
  return readFile("/proc/self/environ").split("\0").slice(0, -1);
}

export function environment(): Readonly<Record<string, string | undefined>> {
  // of several of one name the first counts
  known ??= Object.fromEntries(
    environmentWords()
      .toReversed()
      .flatMap((word) => {
        const end = word.indexOf("=");
        return end < 0 ? [] : [[word.slice(0, end), word.slice(end + 1)]];
      }),
  );
  return known;
}

export function workingFolder(): string {
  const path = new Uint8Array(4096);
  const length = call("the working folder", "getcwd", path, path.length);
  return textOf(path.subarray(0, length - 1));
}

/** Width of a terminal; nothing for what is none. */
export function terminalColumns(fd: number): number | undefined {
  const size = new DataView(new ArrayBuffer(WINSIZE.size));
  if (attempt("ioctl", fd, TIOCGWINSZ, size) < 0) return undefined;
  return size.getUint16(WINSIZE.fields.ws_col.offset, true);
}

/** Bytes as hexadecimal digits, which nobody guesses. */
export function randomHex(length: number): string {
  const bytes = new Uint8Array(length);
  call("random bytes", "getrandom", bytes, bytes.length, 0);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits for a reader; one that is gone hears nothing. */
export function write(fd: number, text: string): void {
  let rest = bytesOf(text);
  while (rest.length > 0) {
    const written = attempt("write", fd, rest, rest.length);
    if (written >= 0) rest = rest.subarray(written);
    else if (written === -ERRNO.EAGAIN) waitFor([{ fd, events: POLLOUT, onReady: () => {} }]);
    else if (written !== -ERRNO.EINTR) return;
  }
}

/** A descriptor that was closed is none that another file may get: what is written there goes nowhere. */
export function openStandardFiles(): void {
  const status = new Uint8Array(STAT.size);
  for (const fd of [0, 1, 2])
    if (attempt("fstat", fd, status) === -ERRNO.EBADF)
      call("/dev/null", "openat", AT_FDCWD, "/dev/null", O_RDWR, 0);
}

export function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function readFile(path: string): string {
  const fd = call(path, "openat", AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = new Uint8Array(64 * 1024);
    const length = call(path, "read", fd, piece, piece.length);
    if (length === 0) break;
    pieces.push(piece.subarray(0, length));
  }
  call(path, "close", fd);
  return textOf(concatenate(pieces));
}
