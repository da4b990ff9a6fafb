/**
 * Connections that become the streams of a container's process. A client asks for it by `Upgrade: tcp` and gets the
 * socket itself, or does without: then the body of its request is the input, and the answer's body, which ends with
 * the connection, the output.
 */

import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { apiError } from "../docker/errors.ts";

export const RAW_STREAM = "application/vnd.docker.raw-stream";
export const MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream";

/** How long a client may keep its end open when there is nothing more for it, in `milliseconds`. */
const LINGER = 10_000;

export interface Hijack {
  /** the client's input */
  readonly input: Readable;
  readonly output: Writable;
  /** Reads the body of the request, before the stream begins. @throws DvmError `BODY_TOO_LARGE` */
  readonly readBody: (limit: number) => Promise<Buffer>;
  /** Tells the client that the stream begins; a second call does nothing. */
  readonly begin: (contentType: string) => void;
  readonly begun: () => boolean;
  /** Ends the output; the client's own end is waited for, but not for ever. */
  readonly end: () => void;
}

/** A request without `Upgrade`. */
export function plainHijack(request: IncomingMessage, response: ServerResponse): Hijack {
  return {
    input: request,
    output: response,
    readBody: (limit) => readRequest(request, limit),
    begun: () => response.headersSent,
    begin: (contentType) => {
      if (response.headersSent) return;
      // the body is no chunks, it ends with the connection
      response.useChunkedEncodingByDefault = false;
      response.shouldKeepAlive = false;
      response.writeHead(200, { "Content-Type": contentType });
      response.flushHeaders();
    },
    end: () => {
      request.resume();
      response.end();
    },
  };
}

export interface UpgradedConnection {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** headers that every answer has */
  readonly headers: Readonly<Record<string, string>>;
}

/** A request with `Upgrade`: its body is on the socket still. */
export function upgradedHijack({ request, socket, headers }: UpgradedConnection): Hijack {
  let begun = false;
  return {
    input: socket,
    output: socket,
    readBody: (limit) => readFromSocket(request, socket, limit),
    begun: () => begun,
    begin: (contentType) => {
      if (begun) return;
      begun = true;
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${lines.join("")}\r\n`,
      );
    },
    end: () => {
      socket.end();
      // closing with input unread would be a reset for the client, in the middle of what it reads
      socket.resume();
      const timer = setTimeout(() => socket.destroy(), LINGER).unref();
      socket.once("close", () => clearTimeout(timer));
      socket.once("end", () => (socket as Socket).destroySoon?.());
    },
  };
}

async function readRequest(request: IncomingMessage, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    length += piece.length;
    if (Math.max(length, declaredLength(request)) > limit) {
      skipRest(request);
      throw tooLarge(limit);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** A client that is cut off while it writes does not read the answer: what it writes is taken, but not for ever. */
function skipRest(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), LINGER).unref();
  request.once("close", () => clearTimeout(timer));
}

async function readFromSocket(
  request: IncomingMessage,
  socket: Readable,
  limit: number,
): Promise<Buffer> {
  if (request.headers["transfer-encoding"] !== undefined) {
    throw apiError("BAD_REQUEST", "a request that upgrades needs a Content-Length");
  }
  const length = declaredLength(request);
  if (length > limit) throw tooLarge(limit);
  return length === 0 ? Buffer.alloc(0) : readExactly(socket, length);
}

async function readExactly(socket: Readable, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cut = () =>
    reject(apiError("BAD_REQUEST", "invalid JSON: got EOF while reading request body"));
  const take = () => {
    const bytes: Buffer | null = socket.read(length);
    if (bytes?.length === length) resolve(bytes);
    // at the end of the input `read` gives what there is
    else if (bytes !== null) cut();
  };
  // one listener for all of it: a new one is called at once, whatever is there
  socket.on("readable", take);
  socket.once("end", cut);
  socket.once("close", cut);
  try {
    return await promise;
  } finally {
    socket.off("readable", take);
    socket.off("end", cut);
    socket.off("close", cut);
  }
}

function declaredLength(request: IncomingMessage): number {
  // the parser has refused what is no number
  return Number(request.headers["content-length"] ?? 0);
}

function tooLarge(limit: number): Error {
  return apiError("BODY_TOO_LARGE", `request body is larger than ${limit} bytes`);
}
