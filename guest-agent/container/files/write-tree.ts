/** Writes folders and files as tar. */

import { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../linux/fcntl.ts";
import {
  major,
  minor,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../linux/stat.ts";
import { type Fd, isSyscallError, type Stat, type Syscalls } from "../../syscalls/syscalls.ts";
import { writeAll } from "../file-access.ts";
import { endOfArchive, padding, type TarEntry, TarType, writeHeader } from "./tar-header.ts";

/** Read at a time, in `bytes`. */
const PIECE = 64 * 1024;
const CAPABILITY = "security.capability";

const TYPES: Readonly<Record<number, string>> = {
  [S_IFREG]: TarType.FILE,
  [S_IFDIR]: TarType.FOLDER,
  [S_IFLNK]: TarType.SYMLINK,
  [S_IFCHR]: TarType.CHARACTER,
  [S_IFBLK]: TarType.BLOCK,
  [S_IFIFO]: TarType.FIFO,
};

export class TreeWriter {
  readonly #sys: Syscalls;
  readonly #out: Fd;
  /** first name of each file that has several */
  readonly #names = new Map<string, string>();
  readonly #piece = new Uint8Array(PIECE);

  constructor(sys: Syscalls, out: Fd) {
    this.#sys = sys;
    this.#out = out;
  }

  /** The file or folder at `path`, under `name`, with all that is in it. What vanishes meanwhile is left out. */
  add(path: string, name: string): void {
    const stat = this.#stat(path);
    if (stat === undefined) return;
    this.addOne(path, name, stat);
    if ((stat.mode & S_IFMT) !== S_IFDIR) return;
    for (const child of listNames(this.#sys, path)) {
      this.add(joined(path, child), joined(name, child));
    }
  }

  /** Without what is in it. */
  addOne(path: string, name: string, stat: Stat): void {
    const type = TYPES[stat.mode & S_IFMT];
    // a socket is nothing that an archive could hold
    if (type === undefined || name === "") return;
    const first = this.#firstName(stat, type, name);
    const entry: TarEntry = {
      name,
      type: first === undefined ? type : TarType.LINK,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      size: type === TarType.FILE && first === undefined ? stat.size : 0,
      mtime: stat.mtime,
      link: first ?? (type === TarType.SYMLINK ? this.#sys.readlink(path) : ""),
      major: major(stat.rdev),
      minor: minor(stat.rdev),
      attributes: type === TarType.FILE ? this.#attributes(path) : new Map(),
    };
    if (entry.size > 0) this.#addContent(path, entry);
    else this.#write(writeHeader(entry));
  }

  /** An empty file, such as a mark. */
  addMark(name: string): void {
    this.#write(
      writeHeader({
        name,
        type: TarType.FILE,
        mode: 0o600,
        uid: 0,
        gid: 0,
        size: 0,
        mtime: 0,
        link: "",
        major: 0,
        minor: 0,
        attributes: new Map(),
      }),
    );
  }

  finish(): void {
    this.#write(endOfArchive());
  }

  #firstName(stat: Stat, type: string, name: string): string | undefined {
    if (type !== TarType.FILE || stat.nlink < 2) return undefined;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#names.get(key);
    if (first === undefined) this.#names.set(key, name);
    return first;
  }

  /** As many bytes as the header says, however the file changes meanwhile. */
  #addContent(path: string, entry: TarEntry): void {
    const fd = this.#sys.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    try {
      this.#write(writeHeader(entry));
      let left = entry.size;
      while (left > 0) {
        const length = this.#sys.read(fd, this.#piece.subarray(0, Math.min(PIECE, left)));
        if (length === 0) break;
        this.#write(this.#piece.subarray(0, length));
        left -= length;
      }
      for (; left > 0; left -= Math.min(PIECE, left)) {
        this.#write(new Uint8Array(Math.min(PIECE, left)));
      }
      this.#write(new Uint8Array(padding(entry.size)));
    } finally {
      this.#sys.close(fd);
    }
  }

  #attributes(path: string): Map<string, Uint8Array> {
    try {
      return new Map([[CAPABILITY, this.#sys.getxattr(path, CAPABILITY)]]);
    } catch (error) {
      if (!isSyscallError(error)) throw error;
      return new Map();
    }
  }

  #stat(path: string): Stat | undefined {
    try {
      return this.#sys.lstat(path);
    } catch (error) {
      if (isSyscallError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  #write(bytes: Uint8Array): void {
    writeAll(this.#sys, this.#out, bytes);
  }
}

/** Names in a folder, in the order of their bytes. */
export function listNames(sys: Syscalls, path: string): string[] {
  const fd = sys.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  try {
    return sys
      .getdents64(fd)
      .map(({ name }) => name)
      .sort();
  } finally {
    sys.close(fd);
  }
}

export function joined(folder: string, name: string): string {
  return folder === "" || folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}
