/** Hands a container's output on to the process's own outputs, at the pace of the slower. */

import { textOf } from "../../sys/quickjs/calls.ts";
import type { Watched } from "./event-loop.ts";
import { Output } from "./output.ts";
import { Pieces, SYSTEM_ERROR } from "./pieces.ts";

const [STDOUT, STDERR] = [1, 2];

export class Delivery {
  /** what the daemon says instead of output; it ends with the stream */
  complaint = "";
  readonly stdout = new Output(STDOUT);
  readonly stderr = new Output(STDERR);
  readonly #pieces = new Pieces();
  /** what has come and waits for its reader */
  #waiting: Uint8Array = new Uint8Array(0);

  get isFull(): boolean {
    return this.stdout.isFull || this.stderr.isFull;
  }

  /** whether something has come that was not handed on */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes what has come, when nothing waits. @param bytes are kept until the next `deliver` */
  offer(bytes: Uint8Array): void {
    this.#waiting = bytes;
  }

  /** Hands on what waits, until an output is full. */
  deliver(): void {
    if (this.isFull || !this.isWaiting) return;
    const rest = this.#pieces.push(this.#waiting, (stream, bytes) => this.#write(stream, bytes));
    this.#waiting = rest.length > 0 ? rest.slice() : rest;
  }

  /** For the event loop: the outputs that are full. */
  watched(): Watched[] {
    const full = [this.stdout, this.stderr].filter(({ isFull }) => isFull);
    return full.map((output) => output.watched());
  }

  /** @returns whether it is full then */
  #write(stream: number, bytes: Uint8Array): boolean {
    if (stream === STDOUT || stream === STDERR) {
      const output = stream === STDOUT ? this.stdout : this.stderr;
      output.write(bytes);
      return output.isFull;
    }
    this.complaint += stream === SYSTEM_ERROR ? textOf(bytes) : `not a stream: ${stream}`;
    return false;
  }
}
