/**
 * Folder content: blocks of dirents followed by their names, all names of a folder in byte order
 * (Linux 6.1 fs/erofs/namei.c searches both the blocks and the dirents by halving).
 */

import type { BlockBuffer } from "./block-buffer.ts";
import { EROFS_BLKSIZ, erofs_dirent } from "./erofs-fs.ts";

/** The names of a folder as they stand on disk, `.` and `..` among them. */
export function direntNames(children: ReadonlyMap<string, unknown>): readonly string[] {
  // Binary strings compare as their bytes do.
  return [".", "..", ...children.keys()].sort();
}

/** The folder's size, in `bytes`: whole blocks, and in the last as much as is used. */
export function direntsSize(names: readonly string[]): number {
  let blocks = 0;
  let used = 0;
  for (const name of names) {
    const need = erofs_dirent.sizeof + name.length;
    if (used + need > EROFS_BLKSIZ) {
      blocks += 1;
      used = 0;
    }
    used += need;
  }
  return blocks * EROFS_BLKSIZ + used;
}

/** The index after the last name that shares a block with the name at `first`. */
export function blockEnd(names: readonly string[], first: number): number {
  let used = 0;
  let index = first;
  for (let name = names[index]; name !== undefined; name = names[index]) {
    used += erofs_dirent.sizeof + name.length;
    if (used > EROFS_BLKSIZ) break;
    index += 1;
  }
  return index;
}

/** What a dirent says of its inode. */
export interface DirentTarget {
  readonly nid: number;
  /** `FT_*` number */
  readonly fileType: number;
}

/** Writes the dirents `first` to `end` at byte `at` of the buffer; they fill at most one block. */
export function writeDirents(
  buffer: BlockBuffer,
  at: number,
  names: readonly string[],
  range: { readonly first: number; readonly end: number },
  targetOf: (name: string) => DirentTarget,
): void {
  let nameoff = (range.end - range.first) * erofs_dirent.sizeof;
  let position = at;
  for (let index = range.first; index < range.end; index += 1) {
    const name = names[index] ?? "";
    const target = targetOf(name);
    buffer.view.setUint32(position + erofs_dirent.nid, target.nid, true);
    buffer.view.setUint16(position + erofs_dirent.nameoff, nameoff, true);
    buffer.view.setUint8(position + erofs_dirent.file_type, target.fileType);
    buffer.text(at + nameoff, name);
    nameoff += name.length;
    position += erofs_dirent.sizeof;
  }
}
