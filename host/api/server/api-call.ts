/** One request: who asks for what, and the way to answer. */

import type { IncomingMessage } from "node:http";
import type { Caller, ContainerView } from "../../engine/daemon/model.ts";
import { engineError } from "../../engine/errors.ts";
import { apiError } from "../docker/errors.ts";
import type { Query } from "../docker/query.ts";
import type { DaemonEngine } from "./daemon-engine.ts";
import type { Hijack } from "./hijack.ts";
import { mayTouch } from "./may-touch.ts";
import type { Reply } from "./reply.ts";

/** Longest JSON body, in `bytes`; a seccomp profile or a long environment fits well. */
export const MAX_JSON_BODY = 4 * 1024 * 1024;

export interface ApiCallParts {
  readonly request: IncomingMessage;
  readonly caller: Caller;
  readonly engine: DaemonEngine;
  /** version of the API, such as `1.47` */
  readonly version: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly reply: Reply;
  /** for routes that hijack */
  readonly hijack: Hijack;
  /** aborted when the client has gone */
  readonly signal: AbortSignal;
}

export class ApiCall {
  readonly #parts: ApiCallParts;

  constructor(parts: ApiCallParts) {
    this.#parts = parts;
  }

  get request(): IncomingMessage {
    return this.#parts.request;
  }
  get caller(): Caller {
    return this.#parts.caller;
  }
  get engine(): DaemonEngine {
    return this.#parts.engine;
  }
  get version(): string {
    return this.#parts.version;
  }
  get query(): Query {
    return this.#parts.query;
  }
  get reply(): Reply {
    return this.#parts.reply;
  }
  get hijack(): Hijack {
    return this.#parts.hijack;
  }
  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  /** A part of the path. */
  parameter(name: string): string {
    return this.#parts.parameters[name] ?? "";
  }

  /** The container in the path. @throws DvmError `NO_SUCH_CONTAINER` for others' containers too */
  async container(reference: string = this.parameter("id")): Promise<ContainerView> {
    return findOwn(this.engine, this.caller, reference);
  }

  /**
   * The body, parsed. `empty` stands for an empty one.
   *
   * @throws DvmError `BAD_REQUEST` for a body that is not JSON, or empty for no good reason; `BODY_TOO_LARGE`
   */
  async json(empty?: object): Promise<unknown> {
    const body = await this.hijack.readBody(MAX_JSON_BODY);
    if (body.length === 0) {
      if (empty !== undefined) return empty;
      throw apiError("BAD_REQUEST", "invalid JSON: got EOF while reading request body");
    }
    checkContentType(this.request.headers["content-type"]);
    try {
      return JSON.parse(body.toString("utf8"));
    } catch (cause) {
      const message = (cause as Error).message.slice(0, 200);
      throw apiError("BAD_REQUEST", `invalid JSON: ${message}`, { cause });
    }
  }
}

/** Another user's container is as good as none. */
export async function findOwn(
  engine: DaemonEngine,
  caller: Caller,
  reference: string,
): Promise<ContainerView> {
  const name = reference.replace(/^\//, "");
  const view = await engine.find(name, caller);
  if (mayTouch(caller, view.owner)) return view;
  throw noSuchContainer(name);
}

function noSuchContainer(name: string): Error {
  return engineError("NO_SUCH_CONTAINER", `no such container: ${name}`);
}

function checkContentType(header: string | undefined): void {
  const type = header?.split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  throw apiError(
    "BAD_REQUEST",
    `unsupported Content-Type header (${header?.slice(0, 100) ?? ""}): must be 'application/json'`,
  );
}
