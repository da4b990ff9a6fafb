/** What daemons that are no more have left beside their sockets: locks, and run roots without machines. */

import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tryLockFile } from "../../sys/file-lock.ts";

/** Run roots of data roots of the user's own choice (`enginePaths`), with their sockets and locks. */
const NAME = /^(at-[0-9a-f]{8})(\.sock(\.lock)?)?$/;
/** What has changed since is not touched, in `milliseconds`: somebody may be about to use it. */
const IN_USE = 10 * 60 * 1000;

/** @param folder where daemons' sockets are */
export function sweepRunBase(folder: string, now: number = Date.now()): void {
  if (!existsSync(folder)) return;
  const names = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  for (const name of new Set(names)) sweep(join(folder, name), now);
}

function sweep(runRoot: string, now: number): void {
  const socket = `${runRoot}.sock`;
  const lock = `${socket}.lock`;
  const isIdle = [runRoot, lock].every((path) => !existsSync(path) || age(path, now) > IN_USE);
  if (!isIdle || (existsSync(runRoot) && readdirSync(runRoot).length > 0)) return;
  // a daemon that lives has it
  using held = existsSync(lock) ? tryLockFile(lock) : undefined;
  if (held === undefined && existsSync(lock)) return;
  try {
    if (existsSync(runRoot)) rmdirSync(runRoot);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTEMPTY") return;
    throw error;
  }
  for (const path of [socket, lock]) rmSync(path, { force: true });
}

function age(path: string, now: number): number {
  return now - lstatSync(path).mtimeMs;
}
