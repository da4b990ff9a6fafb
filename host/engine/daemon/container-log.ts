/**
 * A container's log in Docker's json-file format, and how far each stream has come in it.
 *
 * `container.log` has a line `{"log","stream","time"}` for each line of output; `log-position` says up to which
 * byte of each of the guest's streams the log holds them, and how long the file was then. What was written after
 * the position is cut off by whoever opens the log again, who then asks the guest for it once more: a process that
 * dies between the two writes neither loses nor doubles a line.
 */

import { EventEmitter } from "node:events";
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { cutAt, encodeLines, MAX_PIECE, type OutputName } from "./log-lines.ts";
import type { LogConfig } from "./model.ts";

export type { OutputName };

/** Length of `log-position`, in `bytes`: written over in place. */
const POSITION_SIZE = 256;
const LINE_FEED = 10;

interface Position {
  /** inode of the log, in decimal; empty when there is none */
  readonly inode: string;
  /** length of the log, in `bytes` */
  readonly size: number;
  readonly stdout: number;
  readonly stderr: number;
}

interface Progress {
  /** bytes of the stream that the log holds */
  logged: number;
  /** begin of a line that is not over yet */
  partial: Uint8Array;
}

export interface LogEvents {
  /** there is more to read */
  change: [];
}

export class ContainerLog extends EventEmitter<LogEvents> {
  /** path of the newest file; undefined when nothing is kept */
  readonly path: string | undefined;
  readonly #folder: string;
  readonly #rotation: { readonly maxSize: number; readonly maxFiles: number };
  readonly #onFailure: (error: Error) => void;
  readonly #progress: Record<OutputName, Progress> = { stdout: fresh(), stderr: fresh() };
  #file: number | undefined;
  #inode = "";
  #size = 0;
  #position: number | undefined;
  #hasFailed = false;

  constructor(options: {
    readonly folder: string;
    readonly config: LogConfig | undefined;
    /** a line could not be written, of a row of failures the first */
    readonly onFailure: (error: Error) => void;
  }) {
    super();
    this.setMaxListeners(0);
    this.#folder = options.folder;
    this.#onFailure = options.onFailure;
    const { driver = "json-file", options: wishes = {} } = options.config ?? {};
    this.path = driver === "none" ? undefined : join(options.folder, "container.log");
    this.#rotation = logRotation(wishes);
  }

  /** A new process: its streams begin. */
  begin(): void {
    this.#open();
    this.#progress.stdout = fresh();
    this.#progress.stderr = fresh();
    this.#writePosition();
  }

  /** Goes on where an earlier daemon was. @returns how far the log holds each stream, in `bytes` */
  resume(): Record<OutputName, number> {
    const position = readPosition(join(this.#folder, "log-position"));
    this.#open();
    if (position !== undefined && this.#file !== undefined) {
      // another file than the position's is one that was begun after it
      const size = position.inode === this.#inode ? Math.min(position.size, this.#size) : 0;
      ftruncateSync(this.#file, size);
      this.#size = size;
    }
    this.#progress.stdout = { ...fresh(), logged: position?.stdout ?? 0 };
    this.#progress.stderr = { ...fresh(), logged: position?.stderr ?? 0 };
    return { stdout: this.#progress.stdout.logged, stderr: this.#progress.stderr.logged };
  }

  /**
   * Takes output. Whole lines are written; the rest of it waits for its line feed.
   *
   * @returns how many bytes of the stream are done with since the last call
   */
  append(stream: OutputName, bytes: Uint8Array): number {
    const progress = this.#progress[stream];
    const all = join2(progress.partial, bytes);
    let done = all.lastIndexOf(LINE_FEED) + 1;
    while (all.length - done >= MAX_PIECE) done = cutAt(all, done);
    progress.partial = new Uint8Array(all.subarray(done)); // of its own: the piece may be much longer
    return this.#commit(stream, all.subarray(0, done));
  }

  /** The stream is over: so is its last line. */
  finish(stream: OutputName): number {
    const progress = this.#progress[stream];
    const rest = progress.partial;
    progress.partial = new Uint8Array(0);
    return this.#commit(stream, rest);
  }

  /** How far it holds each stream, in `bytes`. */
  get logged(): Record<OutputName, number> {
    const { stdout, stderr } = this.#progress;
    return { stdout: stdout.logged, stderr: stderr.logged };
  }

  /** The begin of the line that the stream is in. */
  partial(stream: OutputName): Uint8Array {
    return this.#progress[stream].partial;
  }

  /** Length of the newest file, in `bytes`. */
  get size(): number {
    return this.#size;
  }

  close(): void {
    for (const fd of [this.#file, this.#position]) if (fd !== undefined) closeSync(fd);
    this.#file = undefined;
    this.#position = undefined;
    this.emit("change");
  }

  #commit(stream: OutputName, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (this.path !== undefined) this.#writeLines(stream, bytes);
    this.#progress[stream].logged += bytes.length;
    this.#writePosition();
    this.emit("change");
    return bytes.length;
  }

  /** A full disk costs the lines that do not fit, and not the container. */
  #writeLines(stream: OutputName, bytes: Uint8Array): void {
    try {
      this.#rotate();
      if (this.#file === undefined) this.#open();
      if (this.#file === undefined) return;
      const file = this.#file;
      encodeLines(stream, bytes, (lines) => {
        for (let at = 0; at < lines.length; ) at += writeSync(file, lines, at);
        this.#size += lines.length;
      });
      this.#hasFailed = false;
    } catch (error) {
      this.#cutTorn();
      if (!this.#hasFailed) this.#onFailure(error as Error);
      this.#hasFailed = true;
    }
  }

  /** A line that was written in part is no line. */
  #cutTorn(): void {
    if (this.#file === undefined) return;
    try {
      ftruncateSync(this.#file, this.#size);
    } catch {
      // the next reader skips it
    }
  }

  /** `container.log.1` is the one before, and so on; the oldest goes. */
  #rotate(): void {
    const { maxSize, maxFiles } = this.#rotation;
    if (this.path === undefined || this.#file === undefined || this.#size < maxSize) return;
    for (let number = maxFiles - 1; number > 0; number--) {
      const older = number === 1 ? this.path : `${this.path}.${number - 1}`;
      renameIfThere(older, `${this.path}.${number}`);
    }
    if (maxFiles === 1) rmSync(this.path, { force: true });
    closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    if (this.path === undefined || this.#file !== undefined) return;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
    this.#file = openSync(this.path, flags, 0o600);
    const { ino, size } = fstatSync(this.#file);
    this.#inode = `${ino}`;
    this.#size = size;
  }

  #writePosition(): void {
    const position: Position = {
      inode: this.#inode,
      size: this.#size,
      stdout: this.#progress.stdout.logged,
      stderr: this.#progress.stderr.logged,
    };
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT;
      this.#position ??= openSync(join(this.#folder, "log-position"), flags, 0o600);
      writeSync(this.#position, JSON.stringify(position).padEnd(POSITION_SIZE, " "), 0);
    } catch (error) {
      if (!this.#hasFailed) this.#onFailure(error as Error);
      this.#hasFailed = true;
    }
  }
}

/** Docker's options of the json-file driver: no limit and one file unless told otherwise. */
export function logRotation(options: Readonly<Record<string, string>>): {
  readonly maxSize: number;
  readonly maxFiles: number;
} {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(options["max-size"] ?? "");
  const unit = " kmgt".indexOf((match?.[2] || " ").toLowerCase());
  const maxSize = match === null ? Number.POSITIVE_INFINITY : Number(match[1]) * 1024 ** unit;
  const maxFiles = Math.max(1, Math.min(1000, Number(options["max-file"] ?? 1) || 1));
  return { maxSize: maxSize > 0 ? maxSize : Number.POSITIVE_INFINITY, maxFiles };
}

function fresh(): Progress {
  return { logged: 0, partial: new Uint8Array(0) };
}

function join2(first: Uint8Array, second: Uint8Array): Uint8Array {
  return first.length === 0 ? second : Buffer.concat([first, second]);
}

/** The daemon's own file: what is not whole is as good as not there. */
function readPosition(path: string): Position | undefined {
  try {
    const value: Partial<Position> = JSON.parse(readFileSync(path, "utf8"));
    const { inode, size, stdout, stderr } = value;
    const numbers = [size, stdout, stderr].every((each) => Number.isSafeInteger(each));
    return numbers && typeof inode === "string" ? (value as Position) : undefined;
  } catch {
    return undefined;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
