/** Joins the client's own streams to those of a process in a daemon. */

import type { Duplex, Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import { DEFAULT_DETACH_KEYS, detachKeyFilter, parseDetachKeys } from "../docker/detach-keys.ts";
import { demultiplexer } from "../docker/stdcopy.ts";

export interface JoinOptions {
  readonly socket: Duplex;
  readonly streams: ClientStreams;
  /** whether the process has a terminal: its output is one stream, and keys may detach */
  readonly terminal: boolean;
  /** as the user wrote them; empty or absent: Docker's own */
  readonly detachKeys?: string | undefined;
  /** called when the first output has come */
  readonly onFirst?: () => void;
}

/**
 * Pumps both ways, until the process's output has ended and was handed over, or the user's keys detach.
 *
 * @throws DvmError `BAD_REQUEST` for detach keys that are none; what went wrong in the daemon
 */
export async function joinStreams(options: JoinOptions): Promise<"ended" | "detached"> {
  const { socket, streams, terminal } = options;
  const { stdin, stdout, stderr } = streams;
  let isDetached = false;
  const detach = () => {
    isDetached = true;
    socket.destroy();
  };
  // the end of the connection ends the client's input, whatever is left of it
  socket.on("error", () => {});
  const release = joinInput(stdin, socket, terminal ? { keys: options.detachKeys, detach } : {});
  const output = terminal ? socket : socket.pipe(demultiplexer({ stdout, stderr }));
  if (terminal && stdout !== undefined) socket.pipe(stdout, { end: false });
  else output.resume();
  if (options.onFirst !== undefined) socket.once("data", options.onFirst);
  try {
    await finished(output, { writable: false });
  } catch (error) {
    if (!isDetached) throw error;
  } finally {
    release();
    socket.destroy();
  }
  await Promise.all([stdout, stderr].map(flushed));
  return isDetached ? "detached" : "ended";
}

/** @returns what takes the input off again */
function joinInput(
  stdin: Readable | undefined,
  socket: Duplex,
  { keys, detach }: { readonly keys?: string | undefined; readonly detach?: () => void },
): () => void {
  if (stdin === undefined) {
    socket.end();
    return () => {};
  }
  if (detach === undefined) {
    stdin.pipe(socket);
    return () => stdin.unpipe(socket);
  }
  const filter = detachKeyFilter(parseDetachKeys(keys || DEFAULT_DETACH_KEYS), detach);
  stdin.pipe(filter).pipe(socket);
  return () => stdin.unpipe(filter);
}

async function flushed(sink: Writable | undefined): Promise<void> {
  if (sink === undefined || sink.destroyed || sink.writableLength === 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.write("", () => resolve());
  sink.once("close", resolve);
  await promise;
}
