/** Writables that put a process's output onto a client's connection: raw, or as pieces of a multiplexed stream. */

import { Buffer } from "node:buffer";
import { writevSync } from "node:fs";
import { Socket } from "node:net";
import { Writable } from "node:stream";
import type { PassingWritable } from "../../engine/daemon/output-hub.ts";
import { descriptorOf } from "../../sys/descriptor-of.ts";
import { pieceHeader } from "../docker/stdcopy.ts";

export interface OutputSinkOptions {
  readonly connection: Writable;
  /** number of the stream in a multiplexed one; absent: the bytes go as they are */
  readonly stream?: number;
  /** called before the first byte */
  readonly onFirst: () => void;
}

const NOTHING = Buffer.alloc(0);

/**
 * A sink of one stream. It takes more when the connection does, ends without ending it, and closes with it.
 */
export function outputSink(options: OutputSinkOptions): PassingWritable {
  return new OutputSink(options);
}

class OutputSink extends Writable implements PassingWritable {
  readonly #connection: Writable;
  readonly #stream: number | undefined;
  readonly #onFirst: () => void;
  readonly #close = () => this.destroy();
  /** of a piece that was passed in part: what is left of its header, and how much of the rest is to come, in `bytes` */
  #header: Buffer = NOTHING;
  #owed = 0;

  constructor({ connection, stream, onFirst }: OutputSinkOptions) {
    super();
    this.#connection = connection;
    this.#stream = stream;
    this.#onFirst = onFirst;
    connection.once("close", this.#close);
    // whoever writes to it is told by the callback
    this.on("error", () => {});
  }

  /** Straight to the kernel, which copies what it takes: what passes leaves nothing for the collector. */
  pass(bytes: Uint8Array): number {
    this.#onFirst();
    if (!this.#isIdle) return 0;
    const header = this.#headerOf(bytes);
    const taken = takenAtOnce(this.#connection, [header, bytes]);
    if (taken === 0) return 0;
    this.#header = header.subarray(taken);
    const passed = Math.max(0, taken - header.length);
    this.#owed = bytes.length - passed;
    return passed;
  }

  override _write(
    bytes: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    const connection = this.#connection;
    let isTold = false;
    const tell = (error?: Error | null) => {
      if (isTold) return;
      isTold = true;
      callback(error);
    };
    this.#onFirst();
    if (connection.destroyed || connection.writableEnded) {
      tell(gone());
      return;
    }
    if (this.#owed === 0) this.#header = this.#headerOf(bytes);
    else if (this.#owed !== bytes.length) throw new TypeError("not the rest of what was passed");
    this.#owed = 0;
    connection.cork();
    if (this.#header.length > 0) connection.write(this.#header);
    connection.write(bytes, tell);
    connection.uncork();
    // most often the kernel has taken all of it by now
    if (connection.writableLength === 0) tell();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#connection.off("close", this.#close);
    callback(error);
  }

  /** Whether nothing waits that comes first. */
  get #isIdle(): boolean {
    const { writableLength, writableEnded, destroyed } = this.#connection;
    return this.writableLength === 0 && writableLength === 0 && !writableEnded && !destroyed;
  }

  #headerOf(bytes: Uint8Array): Buffer {
    return this.#stream === undefined ? NOTHING : pieceHeader(this.#stream, bytes.length);
  }
}

/** Of a connection that is full, or that its client has left, which its next write will say. */
const TAKES_NOTHING = ["EAGAIN", "EPIPE", "ECONNRESET"];

/** How much the kernel takes of the pieces, in `bytes`. */
function takenAtOnce(connection: Writable, pieces: readonly Uint8Array[]): number {
  if (!(connection instanceof Socket) || connection.connecting) return 0;
  try {
    return writevSync(descriptorOf(connection), pieces);
  } catch (error) {
    if (TAKES_NOTHING.includes((error as NodeJS.ErrnoException).code ?? "")) return 0;
    throw error;
  }
}

function gone(): Error {
  return new Error("the client has gone");
}
