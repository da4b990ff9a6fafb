/** The end of what a guest kernel wrote on its console, in bounded memory. */

/** Bytes kept. */
const CAPACITY = 64 * 1024;

/** A line longer than this is cut in `tail`, in `characters`. */
const MAX_LINE = 400;

/** Collects console output. All of it is hostile: it is bounded here and made printable on the way out. */
export class ConsoleLog {
  #chunks: Uint8Array[] = [];
  #kept = 0;

  /** Takes over `chunk`; drops the oldest output that no longer fits. */
  append(chunk: Uint8Array): void {
    const fitting = chunk.length > CAPACITY ? chunk.subarray(-CAPACITY) : chunk;
    this.#chunks.push(fitting);
    this.#kept += fitting.length;
    // A guest that writes byte by byte must not cost an object each.
    if (this.#kept > 2 * CAPACITY || this.#chunks.length > 1024) this.#compact();
  }

  /** The last `count` lines that are not blank, printable, joined by newlines. */
  tail(count: number): string {
    return this.#lines().slice(-count).join("\n");
  }

  /** What follows the last `marker` on its line, printable; undefined when no line has it. */
  after(marker: string): string | undefined {
    const line = this.#lines().findLast((candidate) => candidate.includes(marker));
    return line?.slice(line.indexOf(marker) + marker.length).trim();
  }

  #lines(): string[] {
    this.#compact();
    const text = Buffer.from(this.#chunks[0] ?? []).toString("latin1");
    return text
      .split(/[\r\n]+/)
      .map((line) => printable(line).slice(0, MAX_LINE))
      .filter((line) => line !== "");
  }

  #compact(): void {
    const all = Buffer.concat(this.#chunks);
    const kept = all.length > CAPACITY ? all.subarray(-CAPACITY) : all;
    this.#chunks = [kept];
    this.#kept = kept.length;
  }
}

/** Leaves printable ASCII: a terminal must not obey a guest. */
function printable(line: string): string {
  return line
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "")
    .replace(/\t/g, " ")
    .replace(/[^\x20-\x7e]/g, "")
    .trimEnd();
}
