/** What a client asks of a daemon's images. */

import type { Readable } from "node:stream";
import type { PulledImage, PushedImage } from "../../engine/images/image-engine.ts";
import type { ImageProgress } from "../../engine/images/transfer-progress.ts";
import { object, readBySchema, string } from "../docker/schema.ts";
import {
  historyAnswer,
  type ImageStep,
  type ImageSummary,
  idAnswer,
  imageSummaries,
  imagesPruneAnswer,
  pulledAnswer,
  pushedAnswer,
  type RemovedLine,
  removedAnswer,
  type TransferLine,
  transferLine,
} from "./answers.ts";
import { withCallOff } from "./call-off.ts";
import { daemonError, lostDaemon, parseJson } from "./daemon-answer.ts";
import {
  type Exchange,
  type FilterValues,
  filterText,
  type HttpConnection,
  pathPart,
} from "./http-connection.ts";
import { linesOf } from "./told-answer.ts";

export interface TransferRequest {
  /** whether it is a repository, of which all tags are wanted */
  readonly all?: boolean;
  /** hosts that may be spoken to without TLS, beside those of the daemon's settings */
  readonly insecure?: readonly string[];
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface LoadRequest {
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string | undefined;
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface ImportRequest {
  /** name to give the image; absent: none */
  readonly name: string | undefined;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  readonly message: string;
  readonly platform: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CommitRequest {
  readonly container: string;
  /** name to give the image; absent: none */
  readonly name: string | undefined;
  readonly author: string;
  readonly comment: string;
  readonly changes: readonly string[];
  readonly pause: boolean;
}

export class ImageClient {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  async list(filters: FilterValues = {}): Promise<readonly ImageSummary[]> {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "GET", path: "/images/json", query });
    return readBySchema(imageSummaries, answer);
  }

  /** As the daemon tells it. @throws DvmError `IMAGE_NOT_FOUND` */
  inspect(image: string): Promise<unknown> {
    return this.#connection.json({ method: "GET", path: `${at(image)}/json` });
  }

  /** The steps that made it, the newest first. @throws DvmError `IMAGE_NOT_FOUND` */
  async history(image: string): Promise<readonly ImageStep[]> {
    const answer = await this.#connection.json({ method: "GET", path: `${at(image)}/history` });
    return readBySchema(historyAnswer, answer);
  }

  /** @throws DvmError what the daemon says, before the first step or after it */
  async pull(
    name: string,
    { platform, ...request }: TransferRequest & { readonly platform?: string | undefined },
  ): Promise<readonly PulledImage[]> {
    const pulled: PulledImage[] = [];
    const { transferName } = await registryAccess();
    const query = { fromImage: transferName(name, request), platform };
    await this.#transfer("/images/create", name, { query, request }, (result) => {
      const { Name, ID, Digest, IsNew } = readBySchema(pulledAnswer, result);
      pulled.push({ name: Name, id: ID, digest: Digest, isNew: IsNew });
    });
    return pulled;
  }

  /** @throws DvmError as `pull` does */
  async push(
    name: string,
    request: TransferRequest,
  ): Promise<readonly Omit<PushedImage, "name">[]> {
    const pushed: Omit<PushedImage, "name">[] = [];
    const { transferName } = await registryAccess();
    const path = `${at(transferName(name, request))}/push`;
    await this.#transfer(path, name, { query: {}, request }, (result) => {
      const { Tag, Digest, Size } = readBySchema(pushedAnswer, result);
      pushed.push({ tag: Tag, digest: Digest, size: Size });
    });
    return pushed;
  }

  /** @throws DvmError `IMAGE_NOT_FOUND`, `REFERENCE_INVALID` */
  async tag(image: string, name: string): Promise<void> {
    const query = { repo: name };
    await this.#connection.json({ method: "POST", path: `${at(image)}/tag`, query });
  }

  /** @throws DvmError `IMAGE_NOT_FOUND`, `IMAGE_IN_USE` */
  async remove(image: string, query: { readonly force: boolean }): Promise<readonly RemovedLine[]> {
    const answer = await this.#connection.json({ method: "DELETE", path: at(image), query });
    return readBySchema(removedAnswer, answer);
  }

  async prune(filters: FilterValues) {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "POST", path: "/images/prune", query });
    return readBySchema(imagesPruneAnswer, answer);
  }

  /** An archive. @throws DvmError `IMAGE_NOT_FOUND` */
  async save(images: readonly string[], signal?: AbortSignal): Promise<Readable> {
    const { response } = await this.#connection.stream({
      method: "GET",
      path: "/images/get",
      query: { names: images },
      ...(signal === undefined ? {} : { signal }),
    });
    return response;
  }

  /** @returns lines such as `Loaded image: busybox:latest` */
  async load(archive: Readable, request: LoadRequest): Promise<readonly string[]> {
    const { platform, onProgress, signal } = request;
    const loaded: string[] = [];
    await this.#work(signal, async (headers) => {
      const query = { platform, quiet: false };
      const exchange = { method: "POST", path: "/images/load", query, headers } as const;
      await this.#lines({ ...exchange, upload: archive }, (line) => {
        if (line.stream !== "") loaded.push(line.stream.trimEnd());
        else onProgress(progressOf(line));
      });
    });
    return loaded;
  }

  /** @returns id of the image */
  async import(tar: Readable, request: ImportRequest): Promise<string> {
    const { name: repo, platform, changes, message, signal } = request;
    const query = { fromSrc: "-", repo, platform, changes, message };
    return this.#work(signal, async (headers) => {
      const answer = await this.#connection.json({
        method: "POST",
        path: "/images/create",
        query,
        headers,
        upload: tar,
      });
      return readBySchema(object({ status: string }), answer).status;
    });
  }

  /** @returns id of the image */
  async commit(request: CommitRequest): Promise<string> {
    const { container, name: repo, author, comment, changes, pause } = request;
    const answer = await this.#connection.json({
      method: "POST",
      path: "/commit",
      query: { container, repo, author, comment, changes, pause },
      body: {},
    });
    return readBySchema(idAnswer, answer).Id;
  }

  /** Between daemon and registry, with what the user shows to that. */
  async #transfer(
    path: string,
    name: string,
    about: { readonly query: Exchange["query"] & object; readonly request: TransferRequest },
    onResult: (result: unknown) => void,
  ): Promise<void> {
    const { insecure, onProgress, signal } = about.request;
    const { registryHeaders } = await registryAccess();
    const auth = await registryHeaders(name);
    await this.#work(signal, (named) =>
      this.#lines(
        {
          method: "POST",
          path,
          query: { ...about.query, insecure },
          headers: { ...named, ...auth },
        },
        (line) => {
          if (line.aux !== undefined) onResult(line.aux);
          else if (!RESULT.test(line.status)) onProgress(progressOf(line));
        },
      ),
    );
  }

  #work<T>(
    signal: AbortSignal | undefined,
    work: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ): Promise<T> {
    return withCallOff(this.#connection, signal, (name) => work({ "Dvm-Work": name }));
  }

  /** @throws DvmError the failure that a line tells */
  async #lines(exchange: Exchange, onLine: (line: TransferLine) => void): Promise<void> {
    const { response } = await this.#connection.stream(exchange);
    let isWhole = false;
    response.once("end", () => {
      isWhole = response.complete;
    });
    try {
      for await (const text of linesOf(response)) {
        if (text === "") continue;
        const line = readBySchema(transferLine, parseJson(text));
        if (line.error !== "")
          throw daemonError(500, JSON.stringify({ ...line, message: line.error }));
        onLine(line);
      }
    } finally {
      response.destroy();
    }
    if (!isWhole) throw lostDaemon();
  }
}

/** Loaded for what goes to a registry: most commands do not, and it takes longer to load than the rest of them. */
const registryAccess = () => import("./registry-access.ts");

/** What Docker's clients show of a result that dvm's own get as such. */
const RESULT = /^(?:Digest: |Status: |[\w.-]+: digest: )/;

function progressOf({ id, status, progressDetail }: TransferLine): ImageProgress {
  const { current, total } = progressDetail ?? {};
  return {
    ...(id === "" ? {} : { id }),
    status,
    ...(current === undefined ? {} : { current }),
    ...(total === undefined ? {} : { total }),
  };
}

function at(image: string): string {
  return `/images/${pathPart(image)}`;
}
