/** What a client asks of a daemon, one method for each endpoint. */

import type { Duplex, Readable } from "node:stream";
import { type Infer, readBySchema } from "../docker/schema.ts";
import { writeCreate } from "../docker/write-create.ts";
import type { DaemonContainerConfig } from "../server/daemon-model.ts";
import {
  type ContainerSummary,
  containerSummaries,
  createAnswer,
  execAnswer,
  execState,
  pruneAnswer,
  topAnswer,
  versionAnswer,
  waitAnswer,
} from "./answers.ts";
import { type HttpConnection, parseJson, pathPart, type QueryValues } from "./http-connection.ts";

/** Which values of what are wanted, as `--filter` names them. */
export type FilterValues = Readonly<Record<string, readonly string[]>>;

export interface AttachQuery {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** what was written before comes first */
  readonly logs?: boolean;
  readonly detachKeys?: string;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly privileged: boolean;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly detachKeys?: string;
}

export class DaemonClient implements Disposable {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  async ping(signal?: AbortSignal): Promise<void> {
    const exchange = { method: "HEAD", path: "/_ping" } as const;
    await this.#connection.json({ ...exchange, ...(signal === undefined ? {} : { signal }) });
  }

  async version(): Promise<Infer<typeof versionAnswer>> {
    return readBySchema(versionAnswer, await this.#get("/version"));
  }

  info(): Promise<unknown> {
    return this.#get("/info");
  }

  async create(
    config: DaemonContainerConfig,
    signal: AbortSignal | undefined,
  ): Promise<Infer<typeof createAnswer>> {
    const answer = await this.#connection.json({
      method: "POST",
      path: "/containers/create",
      query: { name: config.name, platform: config.platform },
      body: writeCreate(config),
      ...(signal === undefined ? {} : { signal }),
    });
    return readBySchema(createAnswer, answer);
  }

  async list(
    query: { readonly all?: boolean; readonly limit?: number; readonly size?: boolean } = {},
    filters: FilterValues = {},
  ): Promise<readonly ContainerSummary[]> {
    const answer = await this.#get("/containers/json", { ...query, filters: filterText(filters) });
    return readBySchema(containerSummaries, answer);
  }

  /** As the daemon tells it. */
  inspect(container: string, size = false): Promise<unknown> {
    return this.#get(`${at(container)}/json`, { size });
  }

  async start(container: string): Promise<void> {
    await this.#post(`${at(container)}/start`);
  }

  async stop(
    container: string,
    query: { readonly t?: number; readonly signal?: string },
  ): Promise<void> {
    await this.#post(`${at(container)}/stop`, query);
  }

  async restart(
    container: string,
    query: { readonly t?: number; readonly signal?: string },
  ): Promise<void> {
    await this.#post(`${at(container)}/restart`, query);
  }

  async kill(container: string, signal: number | string): Promise<void> {
    await this.#post(`${at(container)}/kill`, { signal });
  }

  async pause(container: string): Promise<void> {
    await this.#post(`${at(container)}/pause`);
  }

  async unpause(container: string): Promise<void> {
    await this.#post(`${at(container)}/unpause`);
  }

  async rename(container: string, name: string): Promise<void> {
    await this.#post(`${at(container)}/rename`, { name });
  }

  async remove(
    container: string,
    query: { readonly force?: boolean; readonly v?: boolean },
  ): Promise<void> {
    await this.#connection.json({ method: "DELETE", path: at(container), query });
  }

  async resize(container: string, size: { rows: number; columns: number }): Promise<void> {
    await this.#post(`${at(container)}/resize`, { h: size.rows, w: size.columns });
  }

  /** Resolved once nothing can be missed, with a function that waits for the end. */
  async wait(
    container: string,
    condition: "not-running" | "next-exit" | "removed",
    signal?: AbortSignal,
  ): Promise<() => Promise<Infer<typeof waitAnswer>>> {
    const { response } = await this.#connection.stream({
      method: "POST",
      path: `${at(container)}/wait`,
      query: { condition },
      ...(signal === undefined ? {} : { signal }),
    });
    return async () => {
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece);
      return readBySchema(waitAnswer, parseJson(Buffer.concat(pieces).toString("utf8")));
    };
  }

  /** The container's streams; multiplexed unless it has a terminal. */
  attach(container: string, query: AttachQuery): Promise<Duplex> {
    return this.#connection.hijack({
      method: "POST",
      path: `${at(container)}/attach`,
      query: { ...query, stream: true },
    });
  }

  /** Multiplexed unless the container has a terminal. */
  logs(container: string, query: QueryValues, signal?: AbortSignal): Promise<Readable> {
    return this.#stream(`${at(container)}/logs`, query, signal);
  }

  /** JSON, a line a sample. */
  stats(container: string, query: QueryValues, signal?: AbortSignal): Promise<Readable> {
    return this.#stream(`${at(container)}/stats`, query, signal);
  }

  /** JSON, a line an event. */
  events(query: QueryValues, filters: FilterValues, signal?: AbortSignal): Promise<Readable> {
    return this.#stream("/events", { ...query, filters: filterText(filters) }, signal);
  }

  async top(container: string, psArguments: string | undefined): Promise<Infer<typeof topAnswer>> {
    const answer = await this.#get(`${at(container)}/top`, { ps_args: psArguments });
    return readBySchema(topAnswer, answer);
  }

  changes(container: string): Promise<unknown> {
    return this.#get(`${at(container)}/changes`);
  }

  async prune(filters: FilterValues): Promise<Infer<typeof pruneAnswer>> {
    const answer = await this.#post("/containers/prune", { filters: filterText(filters) });
    return readBySchema(pruneAnswer, answer);
  }

  /** @returns the id of the command */
  async createExec(container: string, exec: ExecRequest): Promise<string> {
    const answer = await this.#connection.json({
      method: "POST",
      path: `${at(container)}/exec`,
      body: {
        Cmd: exec.command,
        Env: exec.env,
        WorkingDir: exec.workingDirectory,
        User: exec.user,
        Tty: exec.terminal,
        Privileged: exec.privileged,
        AttachStdin: exec.attach.stdin,
        AttachStdout: exec.attach.stdout,
        AttachStderr: exec.attach.stderr,
        DetachKeys: exec.detachKeys,
      },
    });
    return readBySchema(execAnswer, answer).Id;
  }

  /** Starts it; its streams are multiplexed unless it has a terminal. */
  startExec(
    id: string,
    size: { readonly rows: number; readonly columns: number } | undefined,
  ): Promise<Duplex> {
    return this.#connection.hijack({
      method: "POST",
      path: `/exec/${pathPart(id)}/start`,
      body: { Detach: false, ...(size ? { ConsoleSize: [size.rows, size.columns] } : {}) },
    });
  }

  async startExecDetached(id: string): Promise<void> {
    const path = `/exec/${pathPart(id)}/start`;
    await this.#connection.json({ method: "POST", path, body: { Detach: true } });
  }

  async execState(id: string): Promise<Infer<typeof execState>> {
    return readBySchema(execState, await this.#get(`/exec/${pathPart(id)}/json`));
  }

  async resizeExec(id: string, size: { rows: number; columns: number }): Promise<void> {
    await this.#post(`/exec/${pathPart(id)}/resize`, { h: size.rows, w: size.columns });
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  #get(path: string, query: QueryValues = {}): Promise<unknown> {
    return this.#connection.json({ method: "GET", path, query });
  }

  #post(path: string, query: QueryValues = {}): Promise<unknown> {
    return this.#connection.json({ method: "POST", path, query });
  }

  async #stream(path: string, query: QueryValues, signal?: AbortSignal): Promise<Readable> {
    const exchange = { method: "GET", path, query } as const;
    const { response } = await this.#connection.stream(
      signal === undefined ? exchange : { ...exchange, signal },
    );
    return response;
  }
}

function at(container: string): string {
  return `/containers/${pathPart(container)}`;
}

function filterText(filters: FilterValues): string | undefined {
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
