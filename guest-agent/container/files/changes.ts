/** What a container has changed of its image: told by its writable layer, or by comparing its root with the image. */

import { S_IFDIR, S_IFMT } from "../../linux/stat.ts";
import { isSyscallError, type Stat, type Syscalls } from "../../syscalls/syscalls.ts";
import { OURS, type UpperEntry, walkUpper } from "./upper-walk.ts";
import { listNames } from "./write-tree.ts";

export interface ChangedPlaces {
  /** what takes the writes, and whether that is the whole root */
  readonly upper: string;
  readonly isWhole: boolean;
  readonly image: string;
}

/** Every path that differs, a folder before what is in it. */
export function walkChanges(sys: Syscalls, places: ChangedPlaces): Iterable<UpperEntry> {
  return places.isWhole ? compareTrees(sys, places) : walkUpper(sys, places);
}

/**
 * By the time of the last change of anything about a file, which no program can set: on a disk that was made from an
 * image it is the image's time of the content (`writeInode` of the host) until something changes.
 */
function* compareTrees(sys: Syscalls, places: ChangedPlaces, folder = ""): Generator<UpperEntry> {
  const before = namesIn(sys, `${places.image}${folder}`);
  const after = new Set(listNames(sys, `${places.upper}${folder}`));
  for (const name of after) {
    const path = `${folder}/${name}`;
    if (!OURS.has(path)) yield* compareOne(sys, places, path);
  }
  for (const name of before) {
    const path = `${folder}/${name}`;
    if (!after.has(name) && !OURS.has(path)) yield { kind: "deleted", path };
  }
}

function* compareOne(sys: Syscalls, places: ChangedPlaces, path: string): Generator<UpperEntry> {
  const stat = sys.lstat(`${places.upper}${path}`);
  const old = lstatIfAny(sys, `${places.image}${path}`);
  const kind = old === undefined ? "added" : "modified";
  const isFolder = isType(stat, S_IFDIR);
  const inside = isFolder ? [...compareTrees(sys, places, path)] : [];
  if (inside.length > 0 || old === undefined || isChanged(stat, old)) {
    yield { kind, path, stat, opaque: false };
  }
  yield* inside;
}

function isChanged(stat: Stat, old: Stat): boolean {
  return (
    stat.ctime !== old.mtime ||
    stat.mode !== old.mode ||
    stat.uid !== old.uid ||
    stat.gid !== old.gid ||
    stat.rdev !== old.rdev
  );
}

function isType({ mode }: Stat, type: number): boolean {
  return (mode & S_IFMT) === type;
}

/** None of what was no folder. */
function namesIn(sys: Syscalls, path: string): readonly string[] {
  const stat = lstatIfAny(sys, path);
  return stat !== undefined && isType(stat, S_IFDIR) ? listNames(sys, path) : [];
}

function lstatIfAny(sys: Syscalls, path: string): Stat | undefined {
  try {
    return sys.lstat(path);
  } catch (error) {
    if (isSyscallError(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
