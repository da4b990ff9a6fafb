/** A connection to the daemon's socket, with one request at a time on it. */

import { ERRNO } from "#linux/errno";
import { POLLIN } from "#linux/poll";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "#linux/socket";
import { CLIENT_VERSION } from "../../api/client/daemon-answer.ts";
import { attempt, bytesOf, call } from "../../sys/quickjs/calls.ts";
import { Answer } from "./answer.ts";
import type { Watched } from "./event-loop.ts";

export interface Request {
  readonly method: "HEAD" | "GET" | "POST" | "DELETE";
  /** with its query, without the version */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** sent as JSON */
  readonly body?: unknown;
}

/** Bytes that are read at once. */
const PIECE = 256 * 1024;

export class Connection {
  readonly fd: number;
  readonly #buffer = new Uint8Array(PIECE);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** @returns nothing where nobody listens */
  static open(path: string): Connection | undefined {
    const name = bytesOf(path);
    const address = new Uint8Array(2 + 108);
    if (name.length > 107) return undefined;
    address[0] = AF_UNIX;
    address.set(name, 2);
    const fd = call(path, "socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (attempt("connect", fd, address, address.length) === 0) return new Connection(fd);
    attempt("close", fd);
    return undefined;
  }

  /** Sends a request. @returns its answer, which `receive` fills */
  send({ method, path, headers = {}, body }: Request): Answer {
    const content = body === undefined ? "" : JSON.stringify(body);
    const length = bytesOf(content).length;
    const all = {
      Host: "dvm",
      ...(body === undefined
        ? { "Content-Length": "0" }
        : { "Content-Type": "application/json", "Content-Length": `${length}` }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#write(
      bytesOf(`${method} /v${CLIENT_VERSION}${path} HTTP/1.1\r\n${lines.join("")}\r\n${content}`),
    );
    return new Answer(method);
  }

  /** @returns what has come, valid until the next call; nothing at the end */
  read(): Uint8Array | undefined {
    const length = attempt("read", this.fd, this.#buffer, this.#buffer.length);
    if (length > 0) return this.#buffer.subarray(0, length);
    return length === -ERRNO.EAGAIN || length === -ERRNO.EINTR ? new Uint8Array(0) : undefined;
  }

  /** What has come, into an answer that may not be all there. @returns false when the connection has ended */
  receive(answer: Answer): boolean {
    const bytes = this.read();
    if (bytes === undefined) answer.end();
    else answer.push(bytes.slice());
    return bytes !== undefined;
  }

  /** For the event loop. */
  watched(onReady: () => void): Watched {
    return { fd: this.fd, events: POLLIN, onReady };
  }

  close(): void {
    attempt("close", this.fd);
  }

  /** The daemon reads what it is asked. */
  #write(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const written = attempt("write", this.fd, rest, rest.length);
      if (written < 0) return;
      rest = rest.subarray(written);
    }
  }
}
