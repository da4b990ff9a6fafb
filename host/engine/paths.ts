/** Where the engine keeps what lasts (the data root) and what a reboot may take (the run root). */

import { accessSync, constants, existsSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { engineError } from "./errors.ts";

export interface EnginePaths {
  /** images, containers and their disks */
  readonly dataRoot: string;
  /** sockets and consoles of running machines, private to the user */
  readonly runRoot: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The system's folders for root, those of the XDG base directory specification for anyone else. Every data root
 * of the user's own choice has a run root of its own, in the same short place: the path of a socket has at most
 * 107 bytes (unix(7)).
 */
export function enginePaths(
  environment: Environment = process.env,
  dataRoot: string | undefined = undefined,
  uid: number = process.getuid?.() ?? 0,
): EnginePaths {
  const chosen = dataRoot ?? environment.DVM_DATA_ROOT;
  const runBase = runFolder(environment, uid);
  if (chosen !== undefined && chosen !== "") {
    const root = resolve(chosen);
    return { dataRoot: root, runRoot: join(runBase, `at-${folderHash(root)}`) };
  }
  const home = environment.XDG_DATA_HOME || join(homeFolder(), ".local", "share");
  return {
    dataRoot: uid === 0 ? "/var/lib/dvm" : join(home, "dvm"),
    runRoot: join(runBase, "default"),
  };
}

/**
 * Makes a folder that only its owner may enter. One that is there already must be the user's own: in a place such
 * as /tmp anybody may have made it.
 *
 * @throws DvmError `DATA_ROOT_UNUSABLE`
 */
export function makePrivateFolder(path: string): void {
  try {
    makeFolder(path);
  } catch (cause) {
    throw unusable(`cannot make ${path}: ${reason(cause)}`, cause);
  }
  const stat = statSync(path);
  if (!stat.isDirectory()) throw unusable(`${path} is not a folder`);
  const { uid } = stat;
  if (uid !== process.getuid?.()) throw unusable(`${path} belongs to user ${uid}`);
  // a link, too, can be put in the way of another user's folder: to one that was meant for something else
  const { uid: linker } = lstatSync(path);
  if (linker !== uid && linker !== 0) throw unusable(`${path} is a link of user ${linker}'s`);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unusable(`cannot write to ${path}: ${reason(cause)}`, cause);
  }
}

/**
 * Makes a folder and those above it that are missing. Node's own way of it never ends where a file system refuses
 * new folders by ENOENT, as proc does, and has that error stand for a read-only one.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // another dvm was faster
    if (!existsSync(path)) throw error;
  }
}

/** The system's words for a failed call, such as `read-only file system`. */
function reason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}

function unusable(message: string, cause?: unknown): Error {
  return engineError("DATA_ROOT_UNUSABLE", message, cause === undefined ? {} : { cause });
}

/** A user that /etc/passwd does not know has a home by HOME only. */
function homeFolder(): string {
  try {
    return homedir();
  } catch (cause) {
    throw unusable("neither HOME nor XDG_DATA_HOME says where containers are kept", cause);
  }
}

function runFolder(environment: Environment, uid: number): string {
  if (uid === 0) return "/run/dvm";
  const given = environment.XDG_RUNTIME_DIR;
  return given ? join(given, "dvm") : join(tmpdir(), `dvm-${uid}`);
}

/** A short name for a folder: FNV-1a, 32 bits; enough to tell the data roots of one user apart. */
function folderHash(path: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(path)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
