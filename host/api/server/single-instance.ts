/** One daemon for a data root, one for a socket: locks that end with their holder, and sockets that outlived theirs. */

import { chmodSync, lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { tryLockFile } from "../../sys/file-lock.ts";
import { apiError } from "../docker/errors.ts";
import { lockHolder } from "./lock-holder.ts";

/** Takes a lock and notes in its file who has it. @throws DvmError `DAEMON_BUSY` that names who has it */
export function lockInstance(path: string, what: string): FileDescriptor {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, "", { flag: "a", mode: 0o600 });
  const lock = tryLockFile(path);
  if (lock === undefined) {
    const pid = lockHolder(path);
    const holder = pid === undefined ? "another dvmd" : `dvmd with pid ${pid}`;
    throw apiError("DAEMON_BUSY", `${holder} serves ${what} already`);
  }
  writeFileSync(path, `${process.pid}\n`);
  return lock;
}

/**
 * Makes room for a socket, whose lock is held: one that is there belonged to a daemon that was killed.
 *
 * @throws DvmError `DAEMON_BUSY` for a path that is something else
 */
export function clearSocket(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw apiError("DAEMON_BUSY", `${path} is there and is no socket`);
  }
  rmSync(path);
}

/** Lets other users through the folder of a socket that is for them too, without letting them list it. */
export function openFolder(path: string): void {
  chmodSync(dirname(path), 0o711);
}
