/** A machine that a VMM sends as it is, written to files: its state, and its memory without the pages of zeros. */

import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { VmmError } from "../errors.ts";
import { SAVED_HEADER, STATE_LIMIT } from "../kvm/machine-state.ts";
import type { SavedFiles } from "./saved-files.ts";

/** Longest silence of the sender, in `milliseconds`. */
const PATIENCE = 30_000;
const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

export interface ReceiveOptions {
  /** of the machine, in `bytes` */
  readonly memoryLength: number;
  /** of the VMM, whose last line says why it has not sent all */
  readonly log: () => string;
  /** longest silence before the source is destroyed, in `milliseconds` */
  readonly patience?: number;
}

/**
 * Writes new files. The sender is a process that its guest may have taken over: it gets the room that the machine has, and
 * must not keep silent.
 *
 * @throws {VmmError} VMM_UNSUPPORTED
 */
export async function receiveMachine(
  source: Readable,
  files: SavedFiles,
  { memoryLength, log, patience = PATIENCE }: ReceiveOptions,
): Promise<void> {
  const reader = new ExactReader(source, patience, (cause) => {
    const [last = ""] = log().trim().split("\n").slice(-1);
    const why = printable(last) || "the virtual machine ended while it was saved";
    throw new VmmError("VMM_UNSUPPORTED", why, cause === undefined ? {} : { cause });
  });
  const header = await reader.read(SAVED_HEADER);
  const stateLength = Number(header.readBigUInt64LE(0));
  const sentLength = Number(header.readBigUInt64LE(8));
  if (stateLength > STATE_LIMIT || sentLength !== memoryLength) {
    const sizes = `${stateLength} bytes and a memory of ${sentLength} bytes`;
    throw new VmmError("VMM_UNSUPPORTED", `a state of ${sizes}, not of ${memoryLength}`);
  }
  const state = await reader.read(stateLength);
  await using stateFile = await open(files.state, "wx", 0o600);
  await stateFile.writeFile(state);
  await stateFile.sync();
  await using memory = await open(files.memory, "wx", 0o600);
  await memory.truncate(memoryLength);
  for (let done = 0; done < memoryLength; ) {
    const chunk = await reader.some(memoryLength - done);
    for (const { from, to } of filledRuns(chunk, done)) {
      await writeAll(memory, chunk.subarray(from, to), done + from);
    }
    done += chunk.length;
  }
  await memory.sync();
}

/** A single write may be a short one. */
async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

/** The runs of a chunk whose pages hold anything, as offsets in it. @param position of the chunk in the file */
export function filledRuns(
  chunk: Buffer,
  position: number,
): { readonly from: number; readonly to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (let from = 0; from < chunk.length; ) {
    const to = Math.min(chunk.length, from + PAGE - ((position + from) % PAGE));
    const isZero = chunk.compare(ZEROS, 0, to - from, from, to) === 0;
    const last = runs.at(-1);
    if (!isZero && last?.to === from) last.to = to;
    else if (!isZero) runs.push({ from, to });
    from = to;
  }
  return runs;
}

/** A stream in pieces of the length that is wanted. */
class ExactReader {
  readonly #source: Readable;
  readonly #patience: number;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #onEnd: (cause?: unknown) => never;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: Readable, patience: number, onEnd: (cause?: unknown) => never) {
    this.#source = source;
    this.#patience = patience;
    this.#onEnd = onEnd;
    // the stream stays open: its end lets the machine go on
    this.#chunks = source.iterator({ destroyOnReturn: false });
  }

  /** Up to `length` bytes, and one at least. */
  async some(length: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#next();
      if (done) this.#onEnd();
      this.#rest = value;
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    const timer = setTimeout(() => {
      this.#source.destroy(new Error(`nothing came for ${this.#patience} ms`));
    }, this.#patience);
    try {
      return await this.#chunks.next().catch(this.#onEnd);
    } finally {
      clearTimeout(timer);
    }
  }

  async read(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const part = await this.some(left);
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }
}

function printable(text: string): string {
  return text.slice(0, 200).replace(/[^ -~]/g, "?");
}
