/** A machine that a VMM sends as it is, written to files: its state, and its memory without the pages of zeros. */

import { open } from "node:fs/promises";
import { totalmem } from "node:os";
import type { Readable } from "node:stream";
import { VmmError } from "../errors.ts";
import type { SavedFiles } from "./saved-files.ts";

/** Lengths of state and memory, 64-bit little-endian numbers: `serveSaves`. */
const HEADER = 16;
/** Of a state, in `bytes`. */
const STATE_LIMIT = 4 * 1024 * 1024;
const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

/**
 * Writes new files. The sender is a process that its guest may have taken over: it gets as much room as a machine can have.
 *
 * @param log of the VMM, whose last line says why it has not sent all
 * @throws {VmmError} VMM_UNSUPPORTED
 */
export async function receiveMachine(
  source: Readable,
  files: SavedFiles,
  log: () => string,
): Promise<void> {
  const reader = new ExactReader(source, (cause) => {
    const [last = ""] = log().trim().split("\n").slice(-1);
    const why = printable(last) || "the virtual machine ended while it was saved";
    throw new VmmError("VMM_UNSUPPORTED", why, cause === undefined ? {} : { cause });
  });
  const header = await reader.read(HEADER);
  const stateLength = Number(header.readBigUInt64LE(0));
  const memoryLength = Number(header.readBigUInt64LE(8));
  if (stateLength > STATE_LIMIT || memoryLength > totalmem()) {
    throw new VmmError("VMM_UNSUPPORTED", `a machine of ${stateLength + memoryLength} bytes`);
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
      await memory.write(chunk, from, to - from, done + from);
    }
    done += chunk.length;
  }
  await memory.sync();
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
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #onEnd: (cause?: unknown) => never;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: Readable, onEnd: (cause?: unknown) => never) {
    this.#onEnd = onEnd;
    // the stream stays open: its end lets the machine go on
    this.#chunks = source.iterator({ destroyOnReturn: false });
  }

  /** Up to `length` bytes, and one at least. */
  async some(length: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next().catch(this.#onEnd);
      if (done) this.#onEnd();
      this.#rest = value;
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
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
