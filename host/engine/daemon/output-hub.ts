/**
 * One output stream of a process on its way from the guest to the log and to whoever is attached.
 *
 * The log comes first: the guest may forget bytes only after they were logged. A reader that stops reading holds
 * up the stream once the window is full, and with it the process's writes to it, and nothing else. A process that
 * has ended is not held up: what is left of its output, at most a window and a pipe, is kept for its readers here.
 */

import type { Writable } from "node:stream";
import { type IncomingHandlers, type IncomingStream, STREAM_WINDOW } from "#protocol";

/** Where output is kept; says how many bytes of the stream it is done with. */
export interface OutputLog {
  readonly append: (bytes: Uint8Array) => number;
  readonly finish: () => number;
}

/** A reader that can do without a copy: what the kernel takes of the bytes need not be kept. */
export interface PassingWritable extends Writable {
  /**
   * Takes what it can of bytes that change after the call; the rest is to be the next that is written.
   *
   * @returns how many it took
   */
  readonly pass: (bytes: Uint8Array) => number;
}

interface Sink {
  readonly target: Writable | PassingWritable;
  /** what waits for what comes before; undefined when nothing does */
  held: Uint8Array[] | undefined;
  blocked: boolean;
  /** the end of what waits */
  readonly gathered: GatheredBytes;
}

/** Bytes that wait are copied together, since a guest may send each in a frame, and pieces, of its own. */
const GATHERED_CHUNK = 64 * 1024;
/** Chunks that a reader is done with; most that are kept for the next one: what waits of one stream. */
const spare: Buffer[] = [];
const MOST_SPARE = STREAM_WINDOW / GATHERED_CHUNK;

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

  /** The bytes are the transport's, for the time of the call. */
  readonly onData = (bytes: Uint8Array): void => {
    this.#owed += this.#log?.append(bytes) ?? bytes.length;
    for (const sink of this.#sinks) write(sink, bytes);
    this.#giveBack();
  };

  readonly onEnd = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#owed += this.#log?.finish() ?? 0;
    for (const sink of this.#sinks) flush(sink);
    this.#settle();
  };

  /** A reader from here on. `before` is what it gets first. @returns takes the reader off again */
  add(target: Writable | PassingWritable, before?: AsyncIterable<Uint8Array>): () => void {
    const held = before === undefined ? undefined : [];
    const sink: Sink = { target, held, blocked: false, gathered: new GatheredBytes() };
    const onDrain = () => {
      sink.blocked = false;
      flush(sink);
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
      for (const bytes of held) put(sink, bytes);
      flush(sink);
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

function write(sink: Sink, bytes: Uint8Array): void {
  const { target, held, gathered } = sink;
  if (held !== undefined) held.push(...gathered.add(bytes));
  else if (sink.blocked) for (const chunk of gathered.add(bytes)) put(sink, chunk);
  else {
    const taken = "pass" in target ? target.pass(bytes) : 0;
    if (taken < bytes.length) put(sink, Buffer.from(bytes.subarray(taken)));
  }
}

function put(sink: Sink, bytes: Uint8Array): void {
  const { target } = sink;
  // any other may have handed the bytes on to somebody who still has them
  const onDone = "pass" in target ? () => giveBackChunk(bytes) : undefined;
  if (!target.write(bytes, onDone)) sink.blocked = true;
}

function giveBackChunk({ buffer, length }: Uint8Array): void {
  if (buffer.byteLength !== GATHERED_CHUNK || length !== GATHERED_CHUNK) return;
  if (spare.length < MOST_SPARE) spare.push(Buffer.from(buffer));
}

/** Hands on what was gathered, unless something comes before it. */
function flush(sink: Sink): void {
  if (sink.held !== undefined) return;
  const rest = sink.gathered.take();
  if (rest.length > 0) put(sink, rest);
}

class GatheredBytes {
  #chunk: Buffer = Buffer.alloc(0);
  #filled = 0;

  /** Copies the bytes. @returns the chunks that are full */
  add(bytes: Uint8Array): Uint8Array[] {
    const full: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#chunk.length === 0)
        this.#chunk = spare.pop() ?? Buffer.allocUnsafeSlow(GATHERED_CHUNK);
      const part = bytes.subarray(at, at + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#chunk.length) full.push(this.take());
    }
    return full;
  }

  /** What is left; it is gathered no more. */
  take(): Uint8Array {
    const rest = this.#chunk.subarray(0, this.#filled);
    this.#chunk = Buffer.alloc(0);
    this.#filled = 0;
    return rest;
  }
}

async function drained(target: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  target.once("drain", resolve);
  target.once("close", resolve);
  target.once("error", () => resolve());
  await promise;
}
