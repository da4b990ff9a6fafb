/**
 * Syscalls for tests: does nothing, writes down every call in order, and answers from a script.
 *
 * It knows a small tree of files: what was put there or written can be read, listed and asked for.
 */

import { encodeText } from "../container/text.ts";
import { DT_DIR, DT_LNK, DT_REG } from "../linux/dirent.ts";
import { ERRNO } from "../linux/errno.ts";
import { O_CREAT, O_DIRECTORY, O_EXCL, O_TRUNC } from "../linux/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../linux/stat.ts";
import type { DirectoryEntry, Fd, Stat, Syscalls } from "./syscalls.ts";
import { SyscallError } from "./syscalls.ts";

/** A call as it was made: name, then arguments. */
export type RecordedCall = readonly [keyof Syscalls, ...unknown[]];

/** Thrown by the fake `execve` and `exit`, which never come back. */
export class ProcessEnded extends Error {
  readonly how: "execve" | "exit";

  constructor(how: "execve" | "exit", detail: string) {
    super(`${how} ${detail}`);
    this.how = how;
  }
}

type Call = keyof Syscalls;
type Answer<Name extends Call> = (
  ...args: Parameters<Syscalls[Name]>
) => ReturnType<Syscalls[Name]>;
type AnyAnswer = (...args: never[]) => unknown;

interface FakeFile {
  mode: number;
  content: Uint8Array;
  uid: number;
  gid: number;
}

interface OpenFile {
  readonly path: string;
  position: number;
}

const FIRST_FD = 10;
const FIRST_PID = 100;

/** A recording fake; `sys` is handed to the code under test. */
export class RecordingSyscalls {
  readonly calls: RecordedCall[] = [];
  readonly files = new Map<string, FakeFile>();
  readonly sys: Syscalls;
  readonly #answers = new Map<string, AnyAnswer>();
  readonly #failures: { call: Call; code: keyof typeof ERRNO; subject: string | undefined }[] = [];
  readonly #open = new Map<Fd, OpenFile>();
  #nextFd = FIRST_FD;
  #nextPid = FIRST_PID;

  constructor() {
    this.files.set("/", directory());
    this.#scriptFiles();
    this.#scriptProcesses();
    this.sys = this.#proxy();
  }

  /** Answers `call` by `answer` from now on. */
  on<Name extends Call>(call: Name, answer: Answer<Name>): this {
    this.#answers.set(call, answer);
    return this;
  }

  /** The next `call` (about `subject`, when given, its first string argument) throws `code`. */
  fail(call: Call, code: keyof typeof ERRNO, subject?: string): this {
    this.#failures.push({ call, code, subject });
    return this;
  }

  /** Puts a file there, with the folders above it. */
  file(path: string, content: string | Uint8Array, mode = S_IFREG | 0o644): this {
    this.folder(path.slice(0, path.lastIndexOf("/")) || "/");
    const bytes = typeof content === "string" ? encodeText(content) : content;
    this.files.set(path, { mode, content: bytes, uid: 0, gid: 0 });
    return this;
  }

  folder(path: string): this {
    for (let end = 1; end > 0; end = path.indexOf("/", end + 1)) {
      const above = path.slice(0, end);
      if (!this.files.has(above)) this.files.set(above || "/", directory());
    }
    if (!this.files.has(path)) this.files.set(path, directory());
    return this;
  }

  /** Text of a file that was written. */
  text(path: string): string | undefined {
    const file = this.files.get(path);
    return file === undefined ? undefined : new TextDecoder().decode(file.content);
  }

  /** Calls of the given names, or all. */
  made(...names: Call[]): RecordedCall[] {
    return this.calls.filter(([name]) => names.length === 0 || names.includes(name));
  }

  #proxy(): Syscalls {
    const target = {} as Syscalls;
    return new Proxy(target, {
      get:
        (_, name) =>
        (...args: unknown[]) =>
          this.#make(String(name) as Call, args),
    });
  }

  #make(call: Call, args: unknown[]): unknown {
    // A caller may use its buffer again: the record keeps what it held at the time of the call.
    const kept = args.map((arg) => (arg instanceof Uint8Array ? arg.slice() : arg));
    this.calls.push([call, ...kept]);
    const index = this.#failures.findIndex(
      (failure) =>
        failure.call === call && (failure.subject === undefined || args.includes(failure.subject)),
    );
    const failure = this.#failures[index];
    if (failure !== undefined) {
      this.#failures.splice(index, 1);
      throw error(call, failure.code, args.find((arg) => typeof arg === "string") ?? "");
    }
    const answer = this.#answers.get(call);
    return answer === undefined ? 0 : answer(...(args as never[]));
  }

  #scriptProcesses(): void {
    this.on("fork", () => this.#nextPid++);
    this.on("clone", () => this.#nextPid++);
    this.on("getpid", () => 1);
    this.on("wait4", () => {
      throw error("wait4", "ECHILD", "");
    });
    this.on("execve", (path) => {
      throw new ProcessEnded("execve", path);
    });
    this.on("exit", (code) => {
      throw new ProcessEnded("exit", String(code));
    });
    this.on("capget", () => ({ effective: 0n, permitted: 0n, inheritable: 0n }));
    this.on("prlimit64", (_pid, _resource, limit) => limit ?? { soft: 1024, hard: 4096 });
    this.on("poll", (fds) => fds.map(() => 0));
    this.on("uname", () => ({ release: "6.1.0" }));
    this.on("sysinfo", () => ({ total: 2 ** 27, free: 2 ** 26 }));
    this.on("clock_gettime", () => ({ seconds: 0, nanoseconds: 0 }));
    this.on("getrandom", (length) => new Uint8Array(length));
    this.on("openPty", () => ({ master: this.#nextFd++, number: 0 }));
    for (const call of [
      "signalfd",
      "socket",
      "open_tree",
      "pidfd_open",
      "pidfd_getfd",
      "bpf_prog_load",
    ] as const) {
      this.#answers.set(call, () => this.#nextFd++);
    }
  }

  #scriptFiles(): void {
    this.on("open", (path, flags, mode) => this.#openFile(path, flags, mode ?? 0));
    this.on("openat", (dirfd, path, flags, mode) =>
      this.#openFile(this.#resolve(dirfd, path), flags, mode ?? 0),
    );
    this.on("openat2", (dirfd, path, how) =>
      this.#openFile(this.#resolve(dirfd, path), how.flags, how.mode ?? 0),
    );
    this.on("close", (fd) => void this.#open.delete(fd));
    this.on("pipe2", () => ({ reader: this.#nextFd++, writer: this.#nextFd++ }));
    this.on("dup3", (_from, to) => to);
    this.on("read", (fd, buffer) => this.#read(fd, buffer));
    this.on("write", (fd, bytes) => this.#write(fd, bytes));
    this.on("getdents64", (fd) => this.#list(this.#open.get(fd)?.path ?? ""));
    this.on("stat", (path) => this.#stat("stat", path));
    this.on("lstat", (path) => this.#stat("lstat", path));
    this.on("fstat", (fd) => this.#stat("fstat", this.#open.get(fd)?.path ?? ""));
    this.on("mkdir", (path, mode) => this.#makeNode("mkdir", path, S_IFDIR | mode));
    this.on("mkdirat", (dirfd, path, mode) =>
      this.#makeNode("mkdirat", this.#resolve(dirfd, path), S_IFDIR | mode),
    );
    this.on("mknod", (path, mode) => this.#makeNode("mknod", path, mode));
    this.on("symlink", (target, path) =>
      this.#makeNode("symlink", path, S_IFLNK | 0o777, encodeText(target)),
    );
    this.on("readlink", (path) => new TextDecoder().decode(this.#file("readlink", path).content));
    this.on("unlink", (path) => this.#remove("unlink", path));
    this.on("rmdir", (path) => this.#remove("rmdir", path));
    this.on(
      "chown",
      (path, uid, gid) => void Object.assign(this.#file("chown", path), { uid, gid }),
    );
  }

  #resolve(dirfd: Fd, path: string): string {
    const base = this.#open.get(dirfd)?.path;
    return base === undefined || path.startsWith("/") ? path : `${base}/${path}`.replace("//", "/");
  }

  #file(call: Call, path: string): FakeFile {
    const file = this.files.get(path);
    if (file === undefined) throw error(call, "ENOENT", path);
    return file;
  }

  #openFile(path: string, flags: number, mode: number): Fd {
    const file = this.files.get(path);
    if (file === undefined) {
      if ((flags & O_CREAT) === 0) throw error("open", "ENOENT", path);
      this.#makeNode("open", path, S_IFREG | mode);
    } else {
      if ((flags & O_EXCL) !== 0) throw error("open", "EEXIST", path);
      if ((flags & O_TRUNC) !== 0) file.content = new Uint8Array(0);
      if ((flags & O_DIRECTORY) !== 0 && (file.mode & S_IFMT) !== S_IFDIR) {
        throw error("open", "ENOTDIR", path);
      }
    }
    const fd = this.#nextFd++;
    this.#open.set(fd, { path, position: 0 });
    return fd;
  }

  #read(fd: Fd, buffer: Uint8Array): number {
    const open = this.#open.get(fd);
    if (open === undefined) return 0;
    const { content } = this.#file("read", open.path);
    const piece = content.subarray(open.position, open.position + buffer.length);
    buffer.set(piece);
    open.position += piece.length;
    return piece.length;
  }

  #write(fd: Fd, bytes: Uint8Array): number {
    const open = this.#open.get(fd);
    if (open === undefined) return bytes.length;
    const file = this.#file("write", open.path);
    const grown = new Uint8Array(Math.max(file.content.length, open.position + bytes.length));
    grown.set(file.content);
    grown.set(bytes, open.position);
    file.content = grown;
    open.position += bytes.length;
    return bytes.length;
  }

  #list(folder: string): DirectoryEntry[] {
    const prefix = folder === "/" ? "/" : `${folder}/`;
    const entries: DirectoryEntry[] = [];
    for (const [path, { mode }] of this.files) {
      const name = path.slice(prefix.length);
      if (!path.startsWith(prefix) || name === "" || name.includes("/")) continue;
      const type = mode & S_IFMT;
      entries.push({ name, type: type === S_IFDIR ? DT_DIR : type === S_IFLNK ? DT_LNK : DT_REG });
    }
    return entries;
  }

  #stat(call: Call, path: string): Stat {
    const { mode, content, uid, gid } = this.#file(call, path);
    const { length: size } = content;
    return { dev: 1, ino: 1, mode, nlink: 1, uid, gid, rdev: 0, size, mtime: 0, ctime: 0 };
  }

  #makeNode(call: Call, path: string, mode: number, content: Uint8Array = new Uint8Array(0)): void {
    if (this.files.has(path)) throw error(call, "EEXIST", path);
    const above = path.slice(0, path.lastIndexOf("/")) || "/";
    if (path.startsWith("/") && !this.files.has(above)) throw error(call, "ENOENT", path);
    this.files.set(path, { mode, content, uid: 0, gid: 0 });
  }

  #remove(call: Call, path: string): void {
    this.#file(call, path);
    this.files.delete(path);
  }
}

function directory(): FakeFile {
  return { mode: S_IFDIR | 0o755, content: new Uint8Array(0), uid: 0, gid: 0 };
}

function error(call: Call, code: keyof typeof ERRNO, subject: string): SyscallError {
  return new SyscallError(call, ERRNO[code], code, subject);
}
