/** Where the engine keeps what lasts (the data root) and what a reboot may take (the run root). */

import { mkdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
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
  const home = environment.XDG_DATA_HOME || join(homedir(), ".local", "share");
  return {
    dataRoot: uid === 0 ? "/var/lib/dvm" : join(home, "dvm"),
    runRoot: join(runBase, "default"),
  };
}

/** Makes a folder that only its owner may enter. @throws DvmError `DATA_ROOT_UNUSABLE` */
export function makePrivateFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw engineError("DATA_ROOT_UNUSABLE", `cannot make ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function runFolder(environment: Environment, uid: number): string {
  if (uid === 0) return "/run/dvm";
  return join(environment.XDG_RUNTIME_DIR || join(tmpdir(), `dvm-${uid}`), "dvm");
}

/** A short name for a folder: FNV-1a, 32 bits; enough to tell the data roots of one user apart. */
function folderHash(path: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(path)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
