/** Whoever is attached to a container's streams, and the pumps between them and the guest. */

import type { Readable, Writable } from "node:stream";

/** The client's ends of a container's standard streams; what is absent is not attached. */
export interface AttachedStreams {
  /** read until its end, which the process sees */
  readonly stdin?: Readable;
  /** with a terminal it gets all output */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
}

/**
 * Hands the process's output to its readers at the pace of the slowest; without any it is dropped.
 * Who gives a reader minds its errors.
 *
 * @returns when the output has ended and every reader has taken all of it
 */
export async function pumpOutput(
  source: Readable,
  sinks: readonly Writable[],
  onFirstByte: () => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  source.once("close", resolve);
  source.once("error", () => resolve());
  source.once("data", onFirstByte);
  if (sinks.length === 0) source.resume();
  const losses = sinks.map((sink) => joinSink(source, sink));
  await promise;
  for (const release of losses) release();
  await Promise.all(sinks.map(flushed));
}

/**
 * Hands the client's input to the process. A process that takes no more is no error: the rest is left unread.
 */
export function pumpInput(source: Readable, target: Writable): void {
  target.on("error", () => {});
  source.on("error", () => target.end());
  target.once("close", () => source.unpipe(target));
  source.pipe(target);
}

/** A reader that goes away loses the rest; the others, and the process, do not suffer. */
function joinSink(source: Readable, sink: Writable): () => void {
  const lost = () => {
    source.unpipe(sink);
    source.resume();
  };
  sink.on("error", lost);
  sink.on("close", lost);
  if (sink.destroyed) lost();
  else source.pipe(sink, { end: false });
  return () => {
    sink.off("error", lost);
    sink.off("close", lost);
    source.unpipe(sink);
  };
}

async function flushed(sink: Writable): Promise<void> {
  if (sink.destroyed || sink.writableEnded || sink.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.write("", () => resolve());
  sink.once("close", resolve);
  await promise;
}
