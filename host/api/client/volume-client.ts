/** What a client asks of a daemon's volumes. */

import { readBySchema } from "../docker/schema.ts";
import { type VolumeSummary, volumeAnswer, volumesAnswer, volumesPruneAnswer } from "./answers.ts";
import { type FilterValues, filterText, type HttpConnection, pathPart } from "./http-connection.ts";

export interface VolumeRequest {
  /** absent: made up */
  readonly name: string | undefined;
  readonly driver: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

export class VolumeClient {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  async list(filters: FilterValues = {}): Promise<readonly VolumeSummary[]> {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "GET", path: "/volumes", query });
    return readBySchema(volumesAnswer, answer).Volumes;
  }

  /** As the daemon tells it. @throws DvmError `NO_SUCH_VOLUME` */
  inspect(name: string): Promise<unknown> {
    return this.#connection.json({ method: "GET", path: at(name) });
  }

  /** One that is there already is left as it is. @returns its name @throws DvmError `VOLUME_INVALID` */
  async create({ name, driver, labels, options }: VolumeRequest): Promise<string> {
    const answer = await this.#connection.json({
      method: "POST",
      path: "/volumes/create",
      body: { Name: name, Driver: driver, Labels: labels, DriverOpts: options },
    });
    return readBySchema(volumeAnswer, answer).Name;
  }

  /** @throws DvmError `NO_SUCH_VOLUME` unless forced, `VOLUME_IN_USE` */
  async remove(name: string, query: { readonly force: boolean }): Promise<void> {
    await this.#connection.json({ method: "DELETE", path: at(name), query });
  }

  /** @returns their names, and what they took on the disk in `bytes` */
  async prune(filters: FilterValues = {}) {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "POST", path: "/volumes/prune", query });
    const { VolumesDeleted: names, SpaceReclaimed: reclaimed } = readBySchema(
      volumesPruneAnswer,
      answer,
    );
    return { names, reclaimed };
  }
}

function at(name: string): string {
  return `/volumes/${pathPart(name)}`;
}
