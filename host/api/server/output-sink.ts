/** Writables that put a process's output onto a client's connection: raw, or as pieces of a multiplexed stream. */

import { Writable } from "node:stream";
import { pieceHeader } from "../docker/stdcopy.ts";

export interface OutputSinkOptions {
  readonly connection: Writable;
  /** number of the stream in a multiplexed one; absent: the bytes go as they are */
  readonly stream?: number;
  /** called before the first byte */
  readonly onFirst: () => void;
}

/**
 * A sink of one stream. It takes more when the connection does, ends without ending it, and closes with it.
 */
export function outputSink({ connection, stream, onFirst }: OutputSinkOptions): Writable {
  const sink = new Writable({
    write(bytes: Buffer, _encoding, callback) {
      onFirst();
      if (connection.destroyed || connection.writableEnded) return callback(gone());
      if (stream !== undefined) {
        connection.cork();
        connection.write(pieceHeader(stream, bytes.length));
      }
      const ready = connection.write(bytes);
      if (stream !== undefined) connection.uncork();
      if (ready) callback();
      else whenDrained(connection, callback);
    },
    destroy(error, callback) {
      connection.off("close", closed);
      callback(error);
    },
  });
  const closed = () => sink.destroy();
  connection.once("close", closed);
  // whoever writes to it is told by the callback
  sink.on("error", () => {});
  return sink;
}

function whenDrained(connection: Writable, callback: (error?: Error) => void): void {
  const settle = (error?: Error) => {
    connection.off("drain", drained);
    connection.off("close", lost);
    callback(error);
  };
  const drained = () => settle();
  const lost = () => settle(gone());
  connection.on("drain", drained);
  connection.on("close", lost);
}

function gone(): Error {
  return new Error("the client has gone");
}
