/** What a client asks of the files in a daemon's containers. */

import type { Readable } from "node:stream";
import { DvmError } from "../../errors.ts";
import { apiError } from "../docker/errors.ts";
import { readBySchema } from "../docker/schema.ts";
import { changesAnswer, pathStatAnswer, type RemotePathStat } from "./answers.ts";
import { parseJson } from "./daemon-answer.ts";
import { type HttpConnection, pathPart } from "./http-connection.ts";

export class FileClient {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  /** Paths that are not as in the image; 0 is changed, 1 added, 2 deleted. */
  async changes(
    container: string,
  ): Promise<readonly { readonly Path: string; readonly Kind: number }[]> {
    const path = `/containers/${pathPart(container)}/changes`;
    return readBySchema(changesAnswer, await this.#connection.json({ method: "GET", path }));
  }

  /** The root file system as tar. */
  async exportTar(container: string, signal?: AbortSignal): Promise<Readable> {
    const path = `/containers/${pathPart(container)}/export`;
    const { response } = await this.#connection.stream({ method: "GET", path, ...given(signal) });
    return response;
  }

  /** @throws DvmError `NO_SUCH_PATH` */
  async stat(container: string, path: string): Promise<RemotePathStat> {
    const exchange = { method: "HEAD", path: archive(container), query: { path } } as const;
    const { response } = await this.#connection.stream(exchange).catch((error: unknown) => {
      throw isNotFound(error) ? apiError("NO_SUCH_PATH", `no such path: ${path}`) : error;
    });
    response.resume();
    return pathStat(response.headers[STAT_HEADER]);
  }

  /** A file, or a folder with what is in it, as tar, under its own last name. */
  async read(
    container: string,
    path: string,
    signal?: AbortSignal,
  ): Promise<{ readonly stat: RemotePathStat; readonly tar: Readable }> {
    const { response } = await this.#connection.stream({
      method: "GET",
      path: archive(container),
      query: { path },
      ...given(signal),
    });
    return { stat: pathStat(response.headers[STAT_HEADER]), tar: response };
  }

  /** Unpacks a tar stream into a folder that is there. */
  async write(
    container: string,
    options: {
      readonly path: string;
      readonly tar: Readable;
      readonly copyOwners: boolean;
      readonly signal?: AbortSignal;
    },
  ): Promise<void> {
    await this.#connection.json({
      method: "PUT",
      path: archive(container),
      query: {
        path: options.path,
        noOverwriteDirNonDir: true,
        ...(options.copyOwners ? { copyUIDGID: true } : {}),
      },
      upload: options.tar,
      ...given(options.signal),
    });
  }
}

/** Node's spelling of it. */
const STAT_HEADER = "x-docker-container-path-stat";

/** An answer to HEAD has no body that would say what is not there. */
function isNotFound(error: unknown): boolean {
  return error instanceof DvmError && error.message === "status 404";
}

function archive(container: string): string {
  return `/containers/${pathPart(container)}/archive`;
}

function given(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function pathStat(header: string | string[] | undefined): RemotePathStat {
  if (typeof header !== "string") throw apiError("DAEMON_REFUSED", "the answer tells no path");
  const text = Buffer.from(header, "base64").toString("utf8");
  return readBySchema(pathStatAnswer, parseJson(text));
}
