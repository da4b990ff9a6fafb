/** What a client asks of a daemon, one method for each endpoint. */

import type { Duplex, Readable } from "node:stream";
import type { DaemonContainerConfig, ExecConfig } from "../../engine/daemon/model.ts";
import type { EventSink } from "../../engine/engine-event.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import { type Infer, readBySchema } from "../docker/schema.ts";
import { writeCreate } from "../docker/write-create.ts";
import { PROGRAM_HEADER, type ProgramState } from "../server/program-header.ts";
import {
  type ContainerSummary,
  containerDetails,
  containerSummaries,
  createAnswer,
  type DiskUsage,
  diskUsageAnswer,
  execAnswer,
  execState,
  pruneAnswer,
  topAnswer,
  updateAnswer,
  versionAnswer,
  waitAnswer,
} from "./answers.ts";
import { withCallOff } from "./call-off.ts";
import { lostDaemon, parseJson } from "./daemon-answer.ts";
import { FileClient } from "./file-client.ts";
import {
  type Exchange,
  type FilterValues,
  filterText,
  type HttpConnection,
  pathPart,
  type QueryValues,
  readText,
} from "./http-connection.ts";
import { ImageClient } from "./image-client.ts";
import { NetworkClient } from "./network-client.ts";
import { SnapshotClient } from "./snapshot-client.ts";
import { readToldAnswer } from "./told-answer.ts";
import { VolumeClient } from "./volume-client.ts";

export interface AttachQuery {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** what was written before comes first */
  readonly logs?: boolean;
  readonly detachKeys?: string;
}

/** The size of its terminal is told at its start. */
export type ExecRequest = Omit<ExecConfig, "terminalSize">;

export interface ToldOptions {
  readonly signal?: AbortSignal | undefined;
  /** hears of the steps of the work */
  readonly onEvent?: EventSink | undefined;
}

export class DaemonClient implements Disposable {
  readonly files: FileClient;
  readonly images: ImageClient;
  readonly networks: NetworkClient;
  readonly snapshots: SnapshotClient;
  readonly volumes: VolumeClient;
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
    this.files = new FileClient(connection);
    this.images = new ImageClient(connection);
    this.networks = new NetworkClient(connection);
    this.snapshots = new SnapshotClient(connection);
    this.volumes = new VolumeClient(connection);
  }

  async ping(signal?: AbortSignal): Promise<void> {
    const exchange = { method: "HEAD", path: "/_ping" } as const;
    await this.#connection.json({ ...exchange, ...(signal === undefined ? {} : { signal }) });
  }

  /**
   * How old the daemon's program is. @param asks `renew`: it is to make way for a new one if it is old
   *
   * @throws DvmError `DAEMON_UNREACHABLE`
   */
  async program(asks: "ask" | "renew"): Promise<ProgramState> {
    const headers = { [PROGRAM_HEADER]: asks };
    const { response } = await this.#connection.stream({ method: "HEAD", path: "/_ping", headers });
    response.resume();
    const state = response.headers[PROGRAM_HEADER];
    return state === "old" || state === "renewing" ? state : "current";
  }

  /** Of client and daemon: as `version` shows it. */
  versions(): Promise<unknown> {
    return this.#get("/version");
  }

  async diskUsage(): Promise<DiskUsage> {
    return readBySchema(diskUsageAnswer, await this.#get("/system/df"));
  }

  /** Has the daemon show credentials to a registry. @throws DvmError `UNAUTHORIZED`, `REGISTRY_*` */
  async login(host: string, credentials: Credentials, insecure: readonly string[]): Promise<void> {
    const { username, password, identityToken: identitytoken } = credentials;
    await this.#connection.json({
      method: "POST",
      path: "/auth",
      query: { insecure },
      body: { username, password, identitytoken, serveraddress: host },
    });
  }

  async version(): Promise<Infer<typeof versionAnswer>> {
    return readBySchema(versionAnswer, await this.#get("/version"));
  }

  info(): Promise<unknown> {
    return this.#get("/info");
  }

  /** No registry is asked: `createContainer` brings the image where that is wanted. @throws DvmError `IMAGE_NOT_FOUND` */
  async create(config: DaemonContainerConfig, options: ToldOptions = {}) {
    const { name, platform } = config;
    const query = { name, platform };
    const body = writeCreate(config);
    const exchange = { method: "POST", path: "/containers/create", query, body } as const;
    return readBySchema(createAnswer, await this.#told(exchange, options));
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

  /** What the client acts upon of it. */
  async details(container: string): Promise<Infer<typeof containerDetails>> {
    return readBySchema(containerDetails, await this.inspect(container));
  }

  async start(
    container: string,
    { checkpoint, ...options }: ToldOptions & { readonly checkpoint?: string | undefined } = {},
  ): Promise<void> {
    const query = { checkpoint };
    await this.#told({ method: "POST", path: `${at(container)}/start`, query }, options);
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
      const text = await readText(response);
      if (text === "") throw lostDaemon();
      return readBySchema(waitAnswer, parseJson(text));
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

  /** @param body Resources and RestartPolicy as Docker has them */
  async update(container: string, body: object): Promise<readonly string[]> {
    const exchange = { method: "POST", path: `${at(container)}/update`, body } as const;
    return readBySchema(updateAnswer, await this.#connection.json(exchange)).Warnings;
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

  /** With somebody who listens the steps are told before the answer, and an abort waits until all is undone. */
  async #told(exchange: Exchange, { signal, onEvent }: ToldOptions): Promise<unknown> {
    if (onEvent === undefined) {
      return this.#connection.json(signal === undefined ? exchange : { ...exchange, signal });
    }
    return withCallOff(this.#connection, signal, async (name) => {
      const headers = { "Dvm-Events": name };
      const { response } = await this.#connection.stream({ ...exchange, headers });
      return readToldAnswer(response, onEvent);
    });
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
