/** Requests to registries: retries, redirects that never carry credentials elsewhere, bounded answers. */
import type { Readable } from "node:stream";
import { type Dispatcher, request as undiciRequest } from "undici";
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { connectionError, isPassing } from "./registry-error.ts";
import { mayBePlain, type RegistrySettings } from "./registry-settings.ts";
import {
  backoff,
  isPassingStatus,
  LONGEST_WISH,
  MAX_TRIES,
  retryAfter,
  type Sleep,
} from "./retry.ts";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** credentials for the host of `url` and no other */
  readonly authorization?: string | undefined;
  /** makes the body, anew for each try */
  readonly body?: () => string | Uint8Array | Readable;
  readonly signal?: AbortSignal | undefined;
  /** whether one try is all; else what may pass is tried again */
  readonly once?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** the URL that answered, after redirects */
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  /** the answer's body, to be read or discarded */
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads the body. @throws REGISTRY_PROTOCOL when it is longer than `max` bytes */
  readonly bytes: (max: number) => Promise<Buffer>;
  /** Gives up the body. */
  readonly discard: () => Promise<void>;
}

export interface HttpParts {
  readonly dispatcherFor: (url: URL) => Promise<Dispatcher>;
  readonly settings: RegistrySettings;
  readonly sleep: Sleep;
  /** told of each new try */
  readonly onRetry?: (reason: string) => void;
}

/** Most redirects followed for one request. */
const MAX_REDIRECTS = 8;
/** Longest answer that is read to use its connection again, in `bytes`. */
const DISCARD_BYTES = 64 * 1024;
const REDIRECTS = [301, 302, 303, 307, 308];

export class HttpClient {
  readonly #parts: HttpParts;

  constructor(parts: HttpParts) {
    this.#parts = parts;
  }

  /**
   * Sends a request and follows redirects. Any status is an answer; what may pass is tried again first.
   * @throws REGISTRY_UNREACHABLE, REGISTRY_TIMEOUT, REGISTRY_TLS, REGISTRY_FAILED, REGISTRY_PROTOCOL, LOAD_CANCELLED
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const tries = request.once === true ? 1 : MAX_TRIES;
    for (let n = 1; ; n++) {
      const outcome = await this.#attempt(request, n < tries);
      if ("response" in outcome) return outcome.response;
      this.#parts.onRetry?.(outcome.reason);
      await this.#parts.sleep(outcome.wish ?? backoff(n), request.signal);
    }
  }

  /** Waits as after a failed try. */
  async pause(tries: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#parts.sleep(backoff(tries), signal);
  }

  async #attempt(
    request: HttpRequest,
    again: boolean,
  ): Promise<
    { readonly response: HttpResponse } | { readonly reason: string; readonly wish?: number }
  > {
    let response: HttpResponse;
    try {
      response = await this.#follow(request);
    } catch (error) {
      if (request.signal?.aborted === true)
        throw imageError("LOAD_CANCELLED", "cancelled", { cause: request.signal.reason });
      if (isDvmError(error)) throw error;
      const explained = connectionError(error, request.url.host);
      if (!again || !isPassing(error)) throw explained;
      return { reason: explained.message };
    }
    if (!again || !isPassingStatus(response.status)) return { response };
    const wish = retryAfter(response.header("retry-after"));
    if (wish !== undefined && wish > LONGEST_WISH) return { response };
    await response.discard();
    const reason = `registry ${request.url.host} answers HTTP ${response.status}`;
    return { reason, ...(wish === undefined ? {} : { wish }) };
  }

  async #follow(request: HttpRequest): Promise<HttpResponse> {
    let { url, authorization } = request;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#once({ ...request, url, authorization });
      const location = response.header("location");
      const follows = request.method === "GET" || request.method === "HEAD";
      if (!follows || !REDIRECTS.includes(response.status) || location === undefined)
        return response;
      await response.discard();
      const next = this.#redirectTarget(location, url);
      if (next.origin !== url.origin) authorization = undefined;
      url = next;
    }
    throw imageError(
      "REGISTRY_PROTOCOL",
      `registry ${request.url.host} redirects more than ${MAX_REDIRECTS} times`,
    );
  }

  #redirectTarget(location: string, from: URL): URL {
    const target = URL.parse(location, from.href);
    const isPlain = target?.protocol === "http:";
    const allowed =
      target !== null &&
      target.username === "" &&
      (target.protocol === "https:" ||
        (isPlain && (from.protocol === "http:" || mayBePlain(target.host, this.#parts.settings))));
    if (allowed) return target;
    throw imageError(
      "REGISTRY_PROTOCOL",
      `registry ${from.host} redirects to ${excerpt(target?.origin ?? location)}, which is not allowed`,
    );
  }

  async #once(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, signal, authorization } = request;
    const answer = await undiciRequest(url, {
      method,
      dispatcher: await this.#parts.dispatcherFor(url),
      headers: {
        "user-agent": "dvm",
        ...request.headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(request.body === undefined ? {} : { body: request.body() }),
      ...(signal === undefined ? {} : { signal }),
    });
    const { body } = answer;
    // A body that nobody reads may still fail; whoever reads it gets the failure from the reading.
    body.on("error", () => {});
    return {
      status: answer.statusCode,
      url,
      header: (name) => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      body,
      bytes: (max) => readBounded(body, max, url.host),
      discard: () => body.dump({ limit: DISCARD_BYTES }).catch(() => undefined),
    };
  }
}

async function readBounded(
  body: AsyncIterable<Uint8Array>,
  max: number,
  host: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > max)
      throw imageError("REGISTRY_PROTOCOL", `registry ${host} answers with more than ${max} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isDvmError(error: unknown): boolean {
  return error instanceof Error && error.name === "DvmError";
}
