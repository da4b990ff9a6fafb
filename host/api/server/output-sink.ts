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
      let isTold = false;
      const tell = (error?: Error | null) => {
        if (isTold) return;
        isTold = true;
        callback(error);
      };
      onFirst();
      if (connection.destroyed || connection.writableEnded) return tell(gone());
      connection.cork();
      if (stream !== undefined) connection.write(pieceHeader(stream, bytes.length));
      connection.write(bytes, tell);
      connection.uncork();
      // most often the kernel has taken all of it by now
      if (connection.writableLength === 0) tell();
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

function gone(): Error {
  return new Error("the client has gone");
}
