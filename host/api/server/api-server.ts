/** Docker's Engine API on a socket of the unix domain. */

import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Caller } from "../../engine/daemon/model.ts";
import { peerCredentials } from "../../sys/peer-credentials.ts";
import { setSendBuffer } from "../../sys/send-buffer.ts";
import { Query } from "../docker/query.ts";
import { API_VERSION } from "../docker/system-json.ts";
import { ApiCall } from "./api-call.ts";
import { checkVersion, splitVersion } from "./api-version.ts";
import type { DaemonEngine } from "./daemon-engine.ts";
import { type Hijack, plainHijack, upgradedHijack } from "./hijack.ts";
import { PROGRAM_HEADER } from "./program-header.ts";
import type { ProgramWatch } from "./program-watch.ts";
import { Reply } from "./reply.ts";
import { type FoundRoute, type Route, Router } from "./router.ts";
import { statusOf } from "./status.ts";

/** What a connection that carries output takes ahead of its client, in `bytes`. */
const OUTPUT_BUFFER = 1024 * 1024;

export interface ServerLog {
  debug(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface ApiServerOptions {
  /** whether what Docker calls experimental is served */
  readonly experimental?: boolean;
  readonly engine: DaemonEngine;
  readonly routes: readonly Route[];
  /** version of dvm */
  readonly version: string;
  readonly log: ServerLog;
  /** tells a client that asks how old the daemon's program is; absent: nobody is told */
  readonly program?: ProgramWatch | undefined;
  /** tells who is at the other end; tests put another in its place */
  readonly identify?: (socket: Socket) => Caller;
}

export class ApiServer implements AsyncDisposable {
  readonly #options: ApiServerOptions;
  readonly #router: Router;
  readonly #server: Server;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #callers = new WeakMap<Duplex, Caller>();
  /** connections that became streams, which the HTTP server has forgotten */
  readonly #hijacked = new Set<Duplex>();
  #clients = 0;
  #clientsGoneSince = performance.now();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#headers = {
      "Api-Version": API_VERSION,
      "Docker-Experimental": `${options.experimental === true}`,
      Ostype: "linux",
      Server: `Docker/${options.version} (linux)`,
    };
    this.#server = createServer({
      // uploads may take any time; only their heads may not
      requestTimeout: 0,
      headersTimeout: 60_000,
      keepAliveTimeout: 60_000,
    });
    this.#server.on("connection", (socket: Socket) => this.#greet(socket));
    this.#server.on("request", (request, response) => void this.#serve(request, response));
    this.#server.on(
      "upgrade",
      (request, socket, head) => void this.#upgrade(request, socket, head),
    );
    this.#server.on("clientError", (_error, socket) => refuseMalformed(socket));
  }

  /** Listens at a path where nothing is. @param mode permissions of the socket, such as 0o600 */
  async listen(path: string, mode: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    // nobody can connect in the moment before the mode is set
    const before = process.umask(0o177);
    try {
      this.#server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
    await promise;
    this.#server.off("error", reject);
    chmodSync(path, mode);
  }

  /** Since when nobody is connected, on the clock of `performance.now`; absent: somebody is. */
  get clientsGoneSince(): number | undefined {
    return this.#clients > 0 ? undefined : this.#clientsGoneSince;
  }

  get clients(): number {
    return this.#clients;
  }

  /** Takes no more connections and cuts those there are. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    for (const socket of this.#hijacked) socket.destroy();
    await promise;
  }

  #greet(socket: Socket): void {
    this.#clients++;
    socket.once("close", () => {
      this.#clients--;
      this.#clientsGoneSince = performance.now();
    });
    try {
      this.#callers.set(socket, (this.#options.identify ?? identifyPeer)(socket));
    } catch (error) {
      this.#options.log.error({ err: error }, "a client that cannot be told who it is was cut off");
      socket.destroy();
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) gone.abort(new Error("the client has gone"));
    });
    // told by the abort
    response.on("error", () => {});
    const hijack = plainHijack(request, response);
    await this.#answer({ request, response, hijack, signal: gone.signal });
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    this.#hijacked.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#hijacked.delete(socket);
      gone.abort(new Error("the client has gone"));
    });
    if (head.length > 0) socket.unshift(head);
    widen(socket as Socket);
    const hijack = upgradedHijack({ request, socket, headers: this.#headers });
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.once("finish", () => hijack.end());
    // an ordinary answer borrows the socket when it comes to that
    const assign = () => response.assignSocket(socket as Socket);
    await this.#answer({ request, response, hijack, signal: gone.signal, assign });
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { request, response, hijack } = exchange;
    const reply = new Reply(response);
    for (const [name, value] of Object.entries(this.#headers)) reply.header(name, value);
    let hijacks = false;
    try {
      const { found, call } = this.#call(exchange, reply);
      hijacks = found.route.hijacks === true;
      if (!hijacks) exchange.assign?.();
      await found.route.handle(call);
    } catch (error) {
      this.#report(request, error, exchange.signal);
      if (hijacks && hijack.begun()) hijack.end();
      else if (!response.destroyed) {
        if (response.socket === null) exchange.assign?.();
        reply.fail(error);
      }
    }
  }

  #call(exchange: Exchange, reply: Reply): { readonly found: FoundRoute; readonly call: ApiCall } {
    const { request, hijack, signal } = exchange;
    const [path = "/", search = ""] = splitOnce(request.url ?? "/", "?");
    const { version, rest } = splitVersion(path);
    const found = this.#router.find(request.method ?? "", rest);
    checkVersion(version);
    const caller = this.#callers.get(request.socket);
    if (caller === undefined) throw new Error("the connection has no caller");
    this.#tellProgram(request, reply, caller);
    const query = new Query(new URLSearchParams(search));
    const { engine } = this.#options;
    const { parameters } = found;
    const parts = { request, caller, engine, version, parameters, query, reply, hijack, signal };
    return { found, call: new ApiCall(parts) };
  }

  #tellProgram({ headers }: IncomingMessage, reply: Reply, { uid }: Caller): void {
    const asked = headers[PROGRAM_HEADER];
    const { program } = this.#options;
    if (asked === undefined || program === undefined) return;
    const isOwn = uid === 0 || uid === process.getuid?.();
    const mayRenew = asked === "renew" && isOwn && this.#clients === 1;
    reply.header(PROGRAM_HEADER, program.tell(mayRenew));
  }

  #report(request: IncomingMessage, error: unknown, signal: AbortSignal): void {
    const fields = { method: request.method, url: request.url?.split("?")[0], err: error };
    const isOurs = statusOf(error) === 500 && !signal.aborted;
    if (isOurs) this.#options.log.error(fields, "request failed");
    else this.#options.log.debug(fields, "request refused");
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly hijack: Hijack;
  readonly signal: AbortSignal;
  /** Gives the response its socket, where it has none yet. */
  readonly assign?: () => void;
}

function identifyPeer(socket: Socket): Caller {
  const fd = descriptorOf(socket);
  if (fd === undefined) throw new Error("the connection has no descriptor");
  return peerCredentials(fd);
}

/** A client that has to wait for a processor is not to hold up a process's output at once. */
function widen(socket: Socket): void {
  const fd = descriptorOf(socket);
  if (fd !== undefined) setSendBuffer(fd, OUTPUT_BUFFER);
}

/** Node has the descriptor of a socket on its handle only. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle } = socket as { readonly _handle?: { readonly fd?: unknown } };
  const fd = _handle?.fd;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** What Go's server says to what is no HTTP. */
function refuseMalformed(socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = "400 Bad Request";
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}
