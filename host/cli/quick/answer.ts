/** An answer of the daemon's as it comes in: HTTP/1.1 as Node's server writes it (RFC 9112). */

import { textOf } from "../../sys/quickjs/calls.ts";
import { concatenate } from "./world.ts";

const NONE: Uint8Array = new Uint8Array(0);
const [CR, LF] = [13, 10];
/** Longest answer, and line of one, in `bytes`: none that is asked for comes near it. */
const MAX_BYTES = 16 * 1024 * 1024;

type Body = "none" | "chunks" | "to the end" | number;

export class Answer {
  status: number | undefined;
  /** whether all of it is there */
  isComplete = false;
  readonly #headers = new Map<string, string>();
  readonly #hasBody: boolean;
  #body: Body = "none";
  #input = NONE;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  /** @param method of the request: the answer to HEAD has no body */
  constructor(method: string) {
    this.#hasBody = method !== "HEAD";
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  /** @throws RangeError for one without end */
  push(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > MAX_BYTES) throw new RangeError("an answer without end");
    this.#input = this.#input.length === 0 ? bytes : concatenate([this.#input, bytes]);
    if (this.status === undefined && !this.#readHead()) return;
    if (this.#body === "chunks") this.#readChunks();
    else if (this.#body === "to the end") this.#take(this.#input.length);
    else if (this.#body !== "none") {
      this.#body -= this.#take(Math.min(this.#body, this.#input.length));
      this.isComplete = this.#body === 0;
    }
  }

  /** The connection has ended. */
  end(): void {
    if (this.#body === "to the end") this.isComplete = true;
  }

  /** What has come of the body and was not asked for yet, up to its last whole line; all of it when it is complete. */
  text(): string {
    const bytes = concatenate(this.#pieces.splice(0));
    const end = this.isComplete ? bytes.length : bytes.lastIndexOf(LF) + 1;
    if (end < bytes.length) this.#pieces.push(bytes.subarray(end));
    return textOf(bytes.subarray(0, end));
  }

  /** What follows an upgrade: no part of the answer. */
  rest(): Uint8Array {
    return this.#input;
  }

  /** @returns whether it is there */
  #readHead(): boolean {
    const lines: string[] = [];
    for (;;) {
      const line = this.#line();
      if (line === undefined) {
        // it is read again from its begin
        this.#input = concatenate([...lines.map(asciiLine), this.#input]);
        return false;
      }
      if (line === "") break;
      lines.push(line);
    }
    const [first = "", ...headers] = lines;
    const [, status] = /^HTTP\/1\.1 (\d{3})\b/.exec(first) ?? [];
    if (status === undefined) throw new RangeError("an answer that is none of HTTP/1.1");
    this.status = Number(status);
    for (const header of headers) {
      const end = header.indexOf(":");
      this.#headers.set(header.slice(0, end).toLowerCase(), header.slice(end + 1).trim());
    }
    this.#body = this.#bodyOf(this.status);
    this.isComplete = this.#body === "none" || this.#body === 0;
    return true;
  }

  #bodyOf(status: number): Body {
    if (!this.#hasBody || status < 200 || status === 204 || status === 304) return "none";
    if (this.header("transfer-encoding")?.toLowerCase() === "chunked") return "chunks";
    const length = this.header("content-length");
    return length === undefined ? "to the end" : Number(length);
  }

  #readChunks(): void {
    for (;;) {
      const start = this.#input;
      const line = this.#line();
      if (line === undefined) return;
      const length = Number.parseInt(line, 16);
      if (!(length >= 0)) throw new RangeError("a chunk of no length");
      if (this.#input.length < length + 2) {
        this.#input = start;
        return;
      }
      this.#take(length);
      this.#input = this.#input.subarray(2);
      if (length > 0) continue;
      this.isComplete = true;
      return;
    }
  }

  #take(length: number): number {
    if (length > 0) this.#pieces.push(this.#input.subarray(0, length));
    this.#input = this.#input.subarray(length);
    return length;
  }

  /** @returns nothing when its end is not there yet */
  #line(): string | undefined {
    const end = this.#input.indexOf(LF);
    if (end < 0) return undefined;
    const text = this.#input.subarray(0, this.#input[end - 1] === CR ? end - 1 : end);
    this.#input = this.#input.subarray(end + 1);
    return textOf(text);
  }
}

function asciiLine(line: string): Uint8Array {
  return Uint8Array.from(`${line}\r\n`, (character) => character.charCodeAt(0));
}
