/** flock(2): locks that the kernel gives back when their holder dies, however it dies. */
import { setTimeout as delay } from "node:timers/promises";
import { FileDescriptor } from "./file-descriptor.ts";
import { foreign } from "./libc.ts";
import { checked, SystemError } from "./system-error.ts";

// The descriptor is borrowed for the call; the lock belongs to the open file description.
const flock = foreign<(fd: number, operation: number) => number>(
  "int flock(int fd, int operation)",
);

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** Time between two tries for a lock that somebody holds, in `milliseconds`. */
const RETRY_MS = 5;

export interface LockOptions {
  /** whether others may hold the lock too, as long as all of them share */
  readonly shared?: boolean;
}

/** Opens a file and takes its lock if nobody holds it; `undefined` if somebody does. @throws {SystemError} */
export function tryLockFile(path: string, options: LockOptions = {}): FileDescriptor | undefined {
  const file = FileDescriptor.open(path);
  try {
    const operation = (options.shared === true ? LOCK_SH : LOCK_EX) | LOCK_NB;
    checked("flock", path, flock(file.number, operation));
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    if (error instanceof SystemError && error.code === "EAGAIN") return undefined;
    if (error instanceof SystemError && error.code === "EWOULDBLOCK") return undefined;
    throw error;
  }
}

/**
 * Opens a file and waits for its lock. Disposing of the descriptor gives it back.
 * @throws {SystemError}, and the signal's reason when it is aborted
 */
export async function lockFile(
  path: string,
  options: LockOptions & { readonly signal?: AbortSignal } = {},
): Promise<FileDescriptor> {
  for (;;) {
    const file = tryLockFile(path, options);
    if (file !== undefined) return file;
    await delay(
      RETRY_MS,
      undefined,
      options.signal === undefined ? {} : { signal: options.signal },
    );
  }
}
