/** Answers to one request. */

import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { errorBody, statusOf } from "./status.ts";

export class Reply {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Whether it is too late for another status. */
  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** What the client has not read yet, in `bytes`. */
  get behind(): number {
    return this.#response.writableLength;
  }

  header(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  json(status: number, value: unknown): void {
    const text = `${JSON.stringify(value)}\n`;
    this.#response.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
    });
    this.#response.end(text);
  }

  text(status: number, text: string): void {
    this.#response.writeHead(status, {
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": Buffer.byteLength(text),
    });
    this.#response.end(text);
  }

  empty(status: number): void {
    this.#response.writeHead(
      status,
      status === 204 || status === 304 ? {} : { "Content-Length": 0 },
    );
    this.#response.end();
  }

  /** Sends the headers of an answer whose body comes piece by piece. */
  begin(contentType: string): void {
    if (this.begun) return;
    this.#response.writeHead(200, { "Content-Type": contentType });
    this.#response.flushHeaders();
  }

  /** Sends a piece. Resolved when the client takes more; rejected when it has gone. */
  async write(piece: string | Uint8Array): Promise<void> {
    const response = this.#response;
    if (response.destroyed) throw gone();
    if (response.write(piece)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const lost = () => reject(gone());
    response.once("drain", resolve);
    response.once("close", lost);
    try {
      await promise;
    } finally {
      response.off("drain", resolve);
      response.off("close", lost);
    }
  }

  end(): void {
    this.#response.end();
  }

  /** Sends all of a stream, and ends. A source that fails cuts the connection: the client sees that it is not whole. */
  async stream(contentType: string, source: Readable): Promise<void> {
    this.begin(contentType);
    await pipeline(source, this.#response);
  }

  /** Answers with the error's status; after the beginning all that is left is to cut the connection. */
  fail(error: unknown): void {
    if (this.begun) {
      this.#response.destroy();
      return;
    }
    this.json(statusOf(error), errorBody(error));
  }
}

function gone(): Error {
  return new Error("the client has gone");
}
