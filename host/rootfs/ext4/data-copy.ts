/** Copies files' content from the layers' data files onto a disk, in pieces as large as their neighbourhood allows. */

import { type FileHandle, open } from "node:fs/promises";
import { rootfsError } from "../errors.ts";
import { BLOCK_SIZE } from "./ext4-fs.ts";

/** Size of one read and write, in `bytes`. */
const PIECE = 1024 * 1024;
/** Runs that wait to be copied. */
const MAX_WAITING = 16 * 1024;

export interface CopyRun {
  readonly path: string;
  /** start in the file, in `bytes` */
  readonly from: number;
  /** first block on the disk */
  readonly to: number;
  /** whole blocks: data files are padded with zeros */
  readonly blocks: number;
}

export class DataCopy implements AsyncDisposable {
  readonly #disk: FileHandle;
  readonly #sources = new Map<string, FileHandle>();
  readonly #piece = Buffer.allocUnsafe(PIECE);
  #waiting: CopyRun[] = [];

  constructor(disk: FileHandle) {
    this.#disk = disk;
  }

  /** What lies behind the run before, here and there, becomes one with it. */
  add(run: CopyRun): void {
    const last = this.#waiting.at(-1);
    const follows =
      last !== undefined &&
      last.path === run.path &&
      last.from + last.blocks * BLOCK_SIZE === run.from &&
      last.to + last.blocks === run.to;
    if (follows) this.#waiting.splice(-1, 1, { ...last, blocks: last.blocks + run.blocks });
    else this.#waiting.push(run);
  }

  get hasMuchToCopy(): boolean {
    return this.#waiting.length > MAX_WAITING;
  }

  /** @throws ROOTFS_BAD_DATA for a data file that is too short */
  async copy(): Promise<void> {
    const runs = this.#waiting;
    this.#waiting = [];
    for (const run of runs) await this.#copyRun(run);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources.values()) await source.close();
  }

  async #copyRun({ path, from, to, blocks }: CopyRun): Promise<void> {
    const source = await this.#open(path);
    const whole = blocks * BLOCK_SIZE;
    for (let done = 0; done < whole; ) {
      const length = Math.min(PIECE, whole - done);
      const { bytesRead } = await source.read(this.#piece, 0, length, from + done);
      if (bytesRead === 0) throw rootfsError("ROOTFS_BAD_DATA", `data file ${path} is too short`);
      const at = to * BLOCK_SIZE + done;
      for (let written = 0; written < bytesRead; ) {
        const rest = bytesRead - written;
        const { bytesWritten } = await this.#disk.write(this.#piece, written, rest, at + written);
        written += bytesWritten;
      }
      done += bytesRead;
    }
  }

  async #open(path: string): Promise<FileHandle> {
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const source = await open(path, "r");
    this.#sources.set(path, source);
    return source;
  }
}
