/**
 * One output stream of a process on its way from the guest to the log and to whoever is attached.
 *
 * The log comes first: the guest may forget bytes only after they were logged. A reader that stops reading holds
 * up the stream once the window is full, and with it the process's writes to it, and nothing else. A process that
 * has ended is not held up: what is left of its output, at most a window and a pipe, is kept for its readers here.
 */

import { Writable } from "node:stream";
import type { IncomingHandlers, IncomingStream } from "#protocol";

/** Where output is kept; says how many bytes of the stream it is done with. */
export interface OutputLog {
  readonly append: (bytes: Uint8Array) => number;
  readonly finish: () => number;
}

/** A reader that has no part of what was written to it any more once its `writableLength` is zero. */
export class PassingWritable extends Writable {}

interface Sink {
  readonly target: Writable;
  /** what comes before; undefined when nothing does */
  held: Uint8Array[] | undefined;
  blocked: boolean;
}

export class OutputHub implements IncomingHandlers {
  /** settles when the stream is over and logged; never rejects */
  readonly ended: Promise<void>;
  readonly #settle: () => void;
  readonly #log: OutputLog | undefined;
  readonly #sinks = new Set<Sink>();
  #stream: IncomingStream | undefined;
  /** logged and not yet given back to the guest, in `bytes` */
  #owed = 0;
  #released = false;
  #over = false;

  constructor(log?: OutputLog) {
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#settle = resolve;
  }

  /** Says which stream the bytes come from, before its first. */
  bind(stream: IncomingStream): IncomingStream {
    this.#stream = stream;
    return stream;
  }

  /** The bytes are the transport's own piece, which nobody writes to: sinks may keep them. */
  readonly onData = (bytes: Uint8Array): boolean => {
    this.#owed += this.#log?.append(bytes) ?? bytes.length;
    let isDone = true;
    for (const sink of this.#sinks) if (!write(sink, bytes)) isDone = false;
    this.#giveBack();
    return isDone;
  };

  readonly onEnd = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#owed += this.#log?.finish() ?? 0;
    this.#settle();
  };

  /** A reader from here on. `before` is what it gets first. @returns takes the reader off again */
  add(target: Writable, before?: AsyncIterable<Uint8Array>): () => void {
    const sink: Sink = { target, held: before === undefined ? undefined : [], blocked: false };
    const onDrain = () => {
      sink.blocked = false;
      this.#giveBack();
    };
    const remove = () => {
      this.#sinks.delete(sink);
      target.off("drain", onDrain);
      target.off("close", remove);
      target.off("error", remove);
      this.#giveBack();
    };
    target.on("drain", onDrain);
    target.on("close", remove);
    target.on("error", remove);
    if (target.destroyed) remove();
    else this.#sinks.add(sink);
    if (before !== undefined) void this.#replay(sink, before);
    return remove;
  }

  /** The process has ended: no reader holds up what is left. */
  release(): void {
    this.#released = true;
    this.#giveBack();
  }

  /** The machine is gone: nothing more will come. */
  abandon(): void {
    this.onEnd();
  }

  async #replay(sink: Sink, before: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of before) {
        if (sink.target.destroyed) break;
        if (!sink.target.write(bytes)) await drained(sink.target);
      }
    } finally {
      const held = sink.held ?? [];
      sink.held = undefined;
      for (const bytes of held) write(sink, bytes);
      this.#giveBack();
    }
  }

  #giveBack(): void {
    if (this.#owed === 0 || this.#stream === undefined) return;
    const waits = [...this.#sinks].some(({ blocked, held }) => blocked || held !== undefined);
    if (waits && !this.#released) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#stream.consume(owed);
  }
}

/** @returns whether the sink has no part of the bytes any more */
function write(sink: Sink, bytes: Uint8Array): boolean {
  const { target, held } = sink;
  if (held !== undefined) {
    held.push(bytes);
    return false;
  }
  if (!target.write(bytes)) sink.blocked = true;
  return target instanceof PassingWritable && target.writableLength === 0;
}

async function drained(target: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  target.once("drain", resolve);
  target.once("close", resolve);
  target.once("error", () => resolve());
  await promise;
}
