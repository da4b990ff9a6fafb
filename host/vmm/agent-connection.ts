/** A connection to the agent's port whose reads all go into one piece of memory, whatever passes. */

import { Buffer } from "node:buffer";
import { createConnection, type Socket } from "node:net";

/**
 * Read at a time, in `bytes`: what a socket of QEMU's holds with the usual buffer (/proc/sys/net/core/wmem_default).
 * One for all connections: a read is over when its bytes were handed on.
 */
const READ_SIZE = 256 * 1024;
let memory: Buffer | undefined;

/**
 * Connects to `path`. What its listeners for `data` get is valid during the call: a buffer for each read, which Node
 * makes else, would have the collector run every few MiB of a process's output, and the heap grow with it.
 */
export function connectAgentPort(path: string): Socket {
  memory ??= Buffer.allocUnsafeSlow(READ_SIZE);
  const socket: Socket = createConnection({
    path,
    onread: {
      buffer: memory,
      callback: (length, { buffer }): boolean => handOn(socket, Buffer.from(buffer, 0, length)),
    },
  });
  return socket;
}

/** What nobody listens for yet waits in the stream, as a copy. @returns whether more is to be read */
function handOn(socket: Socket, piece: Buffer): boolean {
  const isAwaited = socket.readableFlowing === true && socket.listenerCount("data") > 0;
  if (!isAwaited || socket.readableLength > 0) return socket.push(Buffer.from(piece));
  socket.emit("data", piece);
  return !socket.isPaused();
}
