/** What a client asks of a daemon's images. */

import { createInterface } from "node:readline";
import { apiError } from "../docker/errors.ts";
import { readBySchema } from "../docker/schema.ts";
import { idAnswer, type TransferLine, transferLine } from "./answers.ts";
import { type HttpConnection, parseJson, pathPart } from "./http-connection.ts";

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

  /** As the daemon tells it. @throws DvmError `IMAGE_NOT_FOUND` */
  inspect(image: string): Promise<unknown> {
    return this.#connection.json({ method: "GET", path: `/images/${pathPart(image)}/json` });
  }

  /** @throws DvmError what the daemon says, before the first line or in the last */
  async pull(
    image: string,
    options: {
      readonly platform?: string | undefined;
      readonly onLine: (line: TransferLine) => void;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<void> {
    const { platform, onLine, signal } = options;
    const { response } = await this.#connection.stream({
      method: "POST",
      path: "/images/create",
      query: { fromImage: image, platform },
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const text of createInterface({ input: response })) {
      if (text === "") continue;
      const line = readBySchema(transferLine, parseJson(text));
      if (line.error !== "") throw apiError("DAEMON_REFUSED", line.error);
      onLine(line);
    }
  }

  /** @returns id of the image */
  async commit(request: CommitRequest): Promise<string> {
    const { container, name, author, comment, changes, pause } = request;
    const answer = await this.#connection.json({
      method: "POST",
      path: "/commit",
      query: {
        container,
        ...(name === undefined ? {} : { repo: name }),
        author,
        comment,
        changes,
        pause,
      },
      body: {},
    });
    return readBySchema(idAnswer, answer).Id;
  }
}
