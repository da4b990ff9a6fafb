/** Whole files, read and written through system calls. */

import {
  O_CLOEXEC,
  O_CREAT,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "../linux/fcntl.ts";
import { S_IFMT, S_IFREG } from "../linux/stat.ts";
import { type Fd, isSyscallError, SyscallError, type Syscalls } from "../syscalls/syscalls.ts";
import { decodeText, encodeText } from "./text.ts";

/** longest file of the kernel's own that is read, in `bytes` */
export const MAX_KERNEL_FILE = 1024 * 1024;

/**
 * Text of the plain file at `path`, which may be hostile: never waits, as opening a FIFO would.
 *
 * @throws SyscallError EFBIG beyond `limit` bytes, EINVAL for what is no plain file
 */
export function readText(sys: Syscalls, path: string, limit = MAX_KERNEL_FILE): string {
  const fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  try {
    if ((sys.fstat(fd).mode & S_IFMT) !== S_IFREG)
      throw new SyscallError("read", 22, "EINVAL", path);
    return decodeText(readToEnd(sys, fd, { limit, subject: path }));
  } finally {
    sys.close(fd);
  }
}

/** As `readText`; `undefined` when there is no such file. */
export function readTextIfAny(
  sys: Syscalls,
  path: string,
  limit = MAX_KERNEL_FILE,
): string | undefined {
  try {
    return readText(sys, path, limit);
  } catch (error) {
    if (isSyscallError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** All that `fd` yields until its end. */
export function readToEnd(
  sys: Syscalls,
  fd: Fd,
  { limit, subject = "" }: { readonly limit: number; readonly subject?: string },
): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = new Uint8Array(4096);
    const count = sys.read(fd, chunk);
    if (count === 0) break;
    length += count;
    if (length > limit) throw new SyscallError("read", 27, "EFBIG", subject);
    chunks.push(chunk.subarray(0, count));
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Writes `text` to an existing file of the kernel's, in one write as those want it. */
export function writeSetting(sys: Syscalls, path: string, text: string): void {
  const fd = sys.open(path, O_WRONLY | O_CLOEXEC);
  try {
    writeAll(sys, fd, encodeText(text));
  } catch (error) {
    // Of a failed write, the file tells more than the descriptor's number.
    if (isSyscallError(error)) throw new SyscallError(error.call, error.errno, error.code, path);
    throw error;
  } finally {
    sys.close(fd);
  }
}

/** Makes the file at `path` hold `text`. */
export function writeNewText(sys: Syscalls, path: string, text: string): void {
  const fd = sys.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644);
  try {
    writeAll(sys, fd, encodeText(text));
  } finally {
    sys.close(fd);
  }
}

export function writeAll(sys: Syscalls, fd: Fd, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += sys.write(fd, bytes.subarray(at));
}

/** Makes the folder at `path` unless it is there. */
export function ensureFolder(sys: Syscalls, path: string, mode = 0o755): void {
  try {
    sys.mkdir(path, mode);
  } catch (error) {
    if (!isSyscallError(error, "EEXIST")) throw error;
  }
}

/** Names in the folder at `path`. */
export function listFolder(sys: Syscalls, path: string): string[] {
  const fd = sys.open(path, O_RDONLY | O_CLOEXEC);
  try {
    return sys.getdents64(fd).map(({ name }) => name);
  } finally {
    sys.close(fd);
  }
}
