/** What a path is, as the header of `/containers/{id}/archive` tells it: base64 of JSON with Go's file mode. */

import { Buffer } from "node:buffer";
import type { PathStat } from "../../engine/daemon/container-files.ts";

/** File types of `st_mode` (uapi/linux/stat.h) and Go's bits for them (os.FileMode). */
const TYPES: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31], // S_IFDIR: ModeDir
  [0o120000, 2 ** 27], // S_IFLNK: ModeSymlink
  [0o060000, 2 ** 26], // S_IFBLK: ModeDevice
  [0o010000, 2 ** 25], // S_IFIFO: ModeNamedPipe
  [0o140000, 2 ** 24], // S_IFSOCK: ModeSocket
  [0o020000, 2 ** 26 + 2 ** 21], // S_IFCHR: ModeDevice and ModeCharDevice
]);
/** S_ISUID, S_ISGID, S_ISVTX and ModeSetuid, ModeSetgid, ModeSticky. */
const SPECIAL: readonly (readonly [number, number])[] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];
const S_IFMT = 0o170000;

export function pathStatHeader(stat: PathStat): string {
  const value = {
    name: stat.name,
    size: stat.size,
    mode: goFileMode(stat.mode),
    mtime: stat.modified,
    linkTarget: stat.linkTarget ?? "",
  };
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

/** @param mode `st_mode` of stat(2) */
export function goFileMode(mode: number): number {
  const special = SPECIAL.reduce((sum, [bit, go]) => sum + ((mode & bit) === 0 ? 0 : go), 0);
  return (TYPES.get(mode & S_IFMT) ?? 0) + special + (mode & 0o777);
}
