/** Unpacks a tar archive into a folder. Whoever calls has made the container's root its own: no name leads out of it. */

import { O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } from "../../linux/fcntl.ts";
import { makedev, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT } from "../../linux/stat.ts";
import { type Fd, isSyscallError, type Stat, type Syscalls } from "../../syscalls/syscalls.ts";
import { writeAll } from "../file-access.ts";
import { FileTaskError } from "./file-task-error.ts";
import {
  BLOCK,
  concat,
  MAX_EXTENDED,
  padding,
  readHeader,
  readPax,
  type TarEntry,
  TarType,
  withPax,
} from "./tar-header.ts";
import { joined, listNames } from "./write-tree.ts";

/** Read at a time, in `bytes`. */
const PIECE = 64 * 1024;

export interface ReadTreeOptions {
  /** folder to unpack into */
  readonly path: string;
  /** whether a folder may not be replaced by something else, nor something else by a folder */
  readonly noOverwriteDirNonDir: boolean;
}

export function readTree(sys: Syscalls, input: Fd, options: ReadTreeOptions): void {
  const source = new Source(sys, input);
  const folders: { readonly path: string; readonly mtime: number }[] = [];
  for (let entry = nextEntry(source); entry !== undefined; entry = nextEntry(source)) {
    const path = placeOf(entry.name, options.path);
    unpack({ sys, source, entry, path, options });
    if (entry.type === TarType.FOLDER) folders.push({ path, mtime: entry.mtime });
  }
  // what was put into a folder has changed its time
  for (const { path, mtime } of folders.reverse()) sys.utimensat(path, mtime);
  source.drain();
}

interface Unpacking {
  readonly sys: Syscalls;
  readonly source: Source;
  readonly entry: TarEntry;
  readonly path: string;
  readonly options: ReadTreeOptions;
}

function unpack(unpacking: Unpacking): void {
  const { sys, source, entry, path, options } = unpacking;
  makeParents(sys, path);
  if (!makeRoom(unpacking)) sys.mkdir(path, 0o700);
  switch (entry.type) {
    case TarType.FOLDER:
      break;
    case TarType.SYMLINK:
      sys.symlink(entry.link, path);
      break;
    case TarType.LINK:
      sys.link(placeOf(entry.link, options.path), path);
      source.skip(entry.size + padding(entry.size));
      return;
    case TarType.CHARACTER:
    case TarType.BLOCK:
      sys.mknod(path, deviceMode(entry), makedev(entry.major, entry.minor));
      break;
    case TarType.FIFO:
      sys.mknod(path, S_IFIFO | entry.mode, 0);
      break;
    default:
      writeContent(unpacking);
  }
  sys.lchown(path, entry.uid, entry.gid);
  // a change of the owner takes these bits away
  if (entry.type !== TarType.SYMLINK) sys.chmod(path, entry.mode);
  for (const [name, value] of entry.attributes) setAttribute(sys, { path, name, value });
  sys.utimensat(path, entry.mtime);
}

function deviceMode({ type, mode }: TarEntry): number {
  return (type === TarType.CHARACTER ? S_IFCHR : S_IFBLK) | mode;
}

/** Takes away what is in the way. @returns false when a folder has yet to be made */
function makeRoom({ sys, entry, path, options }: Unpacking): boolean {
  const found = statIfAny(sys, path);
  const isFolder = entry.type === TarType.FOLDER;
  if (found === undefined) return !isFolder;
  const wasFolder = (found.mode & S_IFMT) === S_IFDIR;
  if (wasFolder && isFolder) return true;
  if (options.noOverwriteDirNonDir && wasFolder !== isFolder) {
    const [from, to] = wasFolder ? ["directory", "non-directory"] : ["non-directory", "directory"];
    throw new FileTaskError("CONFIG_INVALID", `cannot overwrite ${from} "${path}" with ${to}`);
  }
  removeTree(sys, path, found);
  return !isFolder;
}

/** Removes what is at `path`, with all that is in it. */
export function removeTree(sys: Syscalls, path: string, stat: Stat): void {
  if ((stat.mode & S_IFMT) !== S_IFDIR) {
    sys.unlink(path);
    return;
  }
  for (const name of listNames(sys, path)) {
    const child = joined(path, name);
    removeTree(sys, child, sys.lstat(child));
  }
  sys.rmdir(path);
}

function makeParents(sys: Syscalls, path: string): void {
  for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1)) {
    try {
      sys.mkdir(path.slice(0, slash), 0o755);
    } catch (error) {
      if (!isSyscallError(error, "EEXIST")) throw error;
    }
  }
}

function writeContent({ sys, source, entry, path }: Unpacking): void {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const fd = sys.open(path, flags, 0o600);
  try {
    for (let left = entry.size; left > 0; ) {
      const piece = source.some(left);
      writeAll(sys, fd, piece);
      left -= piece.length;
    }
  } finally {
    sys.close(fd);
  }
  source.skip(padding(entry.size));
}

/** A file system that does not know the attribute goes without it, as with Docker. */
function setAttribute(
  sys: Syscalls,
  {
    path,
    name,
    value,
  }: { readonly path: string; readonly name: string; readonly value: Uint8Array },
): void {
  try {
    sys.setxattr(path, name, value, 0);
  } catch (error) {
    if (!isSyscallError(error, "EOPNOTSUPP", "EPERM")) throw error;
  }
}

/** @throws FileTaskError for a name that leads out of the folder */
function placeOf(name: string, folder: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0")) {
    throw new FileTaskError("CONFIG_INVALID", `"${name}" is outside of "${folder}"`);
  }
  return joined(folder, parts.join("/"));
}

function nextEntry(source: Source): TarEntry | undefined {
  let records = new Map<string, Uint8Array>();
  for (;;) {
    const block = source.block();
    const entry = block === undefined ? undefined : readHeader(block);
    if (entry === undefined) return undefined;
    if (entry.type === "x") records = new Map([...records, ...readPax(source.extended(entry))]);
    else if (entry.type === "g") source.extended(entry);
    else if (entry.type === "L") records.set("path", untilNul(source.extended(entry)));
    else if (entry.type === "K") records.set("linkpath", untilNul(source.extended(entry)));
    else return withPax(entry, records);
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function statIfAny(sys: Syscalls, path: string): Stat | undefined {
  try {
    return sys.lstat(path);
  } catch (error) {
    if (isSyscallError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** The archive as it comes in. */
class Source {
  readonly #sys: Syscalls;
  readonly #fd: Fd;
  readonly #piece = new Uint8Array(PIECE);

  constructor(sys: Syscalls, fd: Fd) {
    this.#sys = sys;
    this.#fd = fd;
  }

  /** The next block; undefined at the end. */
  block(): Uint8Array | undefined {
    const block = new Uint8Array(BLOCK);
    for (let at = 0; at < BLOCK; ) {
      const length = this.#sys.read(this.#fd, block.subarray(at));
      if (length === 0 && at === 0) return undefined;
      if (length === 0) throw cutShort();
      at += length;
    }
    return block;
  }

  /** Up to `most` bytes, valid until the next call. */
  some(most: number): Uint8Array {
    const length = this.#sys.read(this.#fd, this.#piece.subarray(0, Math.min(PIECE, most)));
    if (length === 0) throw cutShort();
    return this.#piece.subarray(0, length);
  }

  skip(length: number): void {
    for (let left = length; left > 0; ) left -= this.some(left).length;
  }

  /** The body of a header that is about the next one. */
  extended({ size, name }: TarEntry): Uint8Array {
    if (size > MAX_EXTENDED) throw new RangeError(`tar header of ${size} bytes: ${name}`);
    const parts: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      const piece = this.some(left).slice();
      parts.push(piece);
      left -= piece.length;
    }
    this.skip(padding(size));
    return concat(parts);
  }

  /** Whoever writes is to come to its end. */
  drain(): void {
    while (this.#sys.read(this.#fd, this.#piece) > 0);
  }
}

function cutShort(): Error {
  return new FileTaskError("CONFIG_INVALID", "unexpected end of the tar archive");
}
