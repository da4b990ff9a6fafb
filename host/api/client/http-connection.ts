/** HTTP to a daemon's socket: requests, answers as JSON or as a stream, and connections that become streams. */

import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DvmError } from "../../errors.ts";
import { apiError } from "../docker/errors.ts";
import { CLIENT_VERSION, daemonError, lostDaemon, parseJson } from "./daemon-answer.ts";

export type QueryValues = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** Which values of what are wanted, as `--filter` names them. */
export type FilterValues = Readonly<Record<string, readonly string[]>>;

export interface Exchange {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** without the version */
  readonly path: string;
  readonly query?: QueryValues;
  /** sent as JSON */
  readonly body?: unknown;
  /** sent as it is, in place of `body` */
  readonly upload?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Longest answer that is taken as one, in `bytes`; longer ones are streams. */
const MAX_ANSWER = 64 * 1024 * 1024;

export class HttpConnection implements Disposable {
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** @param socket path of the daemon's socket */
  constructor(socket: string) {
    this.#socket = socket;
  }

  /** The answer, parsed; nothing for an empty one. @throws DvmError what the daemon says, `DAEMON_UNREACHABLE` */
  async json(exchange: Exchange): Promise<unknown> {
    const { response } = await this.stream(exchange);
    const text = await readText(response);
    return text === "" ? undefined : parseJson(text);
  }

  /** The answer as it comes, with its status of 200 to 399. @throws DvmError as `json` */
  async stream(exchange: Exchange): Promise<{ readonly response: IncomingMessage }> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = httpRequest(this.#options(exchange));
    request.once("response", resolve);
    request.once("error", reject);
    await this.#send(exchange, request, promise);
    const response = await this.#reached(promise, exchange.signal);
    await refuseFailure(response);
    return { response };
  }

  /** The connection itself, both ways. @throws DvmError as `json` */
  async hijack(exchange: Exchange): Promise<Duplex> {
    const { promise, resolve, reject } = Promise.withResolvers<HijackAnswer>();
    const options = this.#options(exchange);
    const request = httpRequest({
      ...options,
      agent: false,
      headers: { ...options.headers, Connection: "Upgrade", Upgrade: "tcp" },
    });
    request.once("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ socket });
    });
    request.once("response", (response) => resolve({ response }));
    request.once("error", reject);
    request.end(jsonText(exchange));
    const answer = await this.#reached(promise, exchange.signal);
    if (answer.socket !== undefined) return answer.socket;
    await refuseFailure(answer.response);
    throw apiError("DAEMON_REFUSED", `the daemon did not upgrade ${exchange.path}`);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #options(exchange: Exchange) {
    const { method, path, query = {}, headers, signal } = exchange;
    const search = searchText(query);
    const text = jsonText(exchange);
    return {
      socketPath: this.#socket,
      // else Node finds out whether the host's name is an address, which takes milliseconds the first time
      servername: "",
      agent: this.#agent,
      method,
      path: `/v${CLIENT_VERSION}${path}${search}`,
      headers: {
        Host: "dvm",
        ...(text === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) }),
        ...(exchange.upload === undefined ? {} : { "Content-Type": "application/x-tar" }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    };
  }

  /** An upload that the daemon refuses half way is no error of its own: the answer says why. */
  async #send(
    exchange: Exchange,
    request: ReturnType<typeof httpRequest>,
    answer: Promise<unknown>,
  ): Promise<void> {
    if (exchange.upload === undefined) {
      request.end(jsonText(exchange));
      return;
    }
    const { upload } = exchange;
    let own: unknown;
    upload.once("error", (error) => {
      if (!request.destroyed) own = error;
    });
    const sent = pipeline(upload, request);
    await Promise.race([sent, answer]).catch(() => {
      // what cannot be read has nothing to do with the daemon
      if (own === undefined) return answer;
      answer.catch(() => {});
      throw own;
    });
    sent.catch(() => {});
  }

  async #reached<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await answer;
    } catch (cause) {
      signal?.throwIfAborted();
      const message = cause instanceof Error ? cause.message : String(cause);
      throw apiError("DAEMON_UNREACHABLE", `cannot reach dvmd at ${this.#socket}: ${message}`, {
        cause,
      });
    }
  }
}

type HijackAnswer =
  | { readonly socket: Duplex }
  | { readonly socket?: undefined; readonly response: IncomingMessage };

/** Filters as a query has them; nothing for none. */
export function filterText(filters: FilterValues): string | undefined {
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}

/** Path parts are the user's words. */
export function pathPart(text: string): string {
  return encodeURIComponent(text);
}

function searchText(query: QueryValues): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (typeof value === "object") for (const each of value) values.append(name, each);
    else if (value !== undefined) values.set(name, value === true ? "1" : String(value));
  }
  return values.size === 0 ? "" : `?${values}`;
}

function jsonText({ body }: Exchange): string | undefined {
  return body === undefined ? undefined : JSON.stringify(body);
}

async function refuseFailure(response: IncomingMessage): Promise<void> {
  const status = response.statusCode ?? 0;
  if (status < 400) return;
  throw daemonError(status, await readText(response));
}

/** All of an answer. @throws DvmError `DAEMON_REFUSED` when it is too long, `DAEMON_UNREACHABLE` when it is cut off */
export async function readText(response: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of response) {
      length += piece.length;
      if (length > MAX_ANSWER) throw apiError("DAEMON_REFUSED", "the daemon's answer is too long");
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof DvmError ? error : lostDaemon(error);
  }
  return Buffer.concat(pieces).toString("utf8");
}
