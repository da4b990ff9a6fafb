/** What a client asks of a daemon about containers that were saved while they ran. */

import { type Infer, integer, list, object, readBySchema, string } from "../docker/schema.ts";
import { type HttpConnection, pathPart } from "./http-connection.ts";

const summary = object({
  Id: string,
  Name: string,
  Created: string,
  Container: string,
  Image: string,
  /** in `bytes` */
  Size: integer,
});
export type SnapshotSummary = Infer<typeof summary>;

const made = object({ Id: string, Name: string });

export class SnapshotClient {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  /** Newest first. */
  async list(): Promise<readonly SnapshotSummary[]> {
    const answer = await this.#connection.json({ method: "GET", path: "/dvm/snapshots" });
    return readBySchema(list(summary), answer);
  }

  /** @returns its name @throws DvmError `SNAPSHOT_EXISTS`, `WRONG_STATE`, `NOT_SUPPORTED` */
  async create(container: string, name: string | undefined): Promise<string> {
    const query = { container, name };
    const exchange = { method: "POST", path: "/dvm/snapshots", query } as const;
    return readBySchema(made, await this.#connection.json(exchange)).Name;
  }

  /** @throws DvmError `NO_SUCH_SNAPSHOT` */
  async remove(name: string): Promise<void> {
    await this.#connection.json({ method: "DELETE", path: `/dvm/snapshots/${pathPart(name)}` });
  }

  /** @returns the id of the container that goes on from there */
  restore(snapshot: string, name: string | undefined): Promise<string> {
    return this.#revive(`/dvm/snapshots/${pathPart(snapshot)}/restore`, name);
  }

  /** @returns the id of the second container */
  fork(container: string, name: string | undefined): Promise<string> {
    return this.#revive(`/dvm/containers/${pathPart(container)}/fork`, name);
  }

  /** Names of a container's checkpoints. */
  async checkpoints(container: string): Promise<readonly string[]> {
    const answer = await this.#connection.json({ method: "GET", path: checkpointsOf(container) });
    return readBySchema(list(object({ Name: string })), answer).map(({ Name }) => Name);
  }

  /** @param exit whether the container ends by it */
  async createCheckpoint(container: string, name: string, exit: boolean): Promise<void> {
    const body = { CheckpointID: name, Exit: exit };
    await this.#connection.json({ method: "POST", path: checkpointsOf(container), body });
  }

  async removeCheckpoint(container: string, name: string): Promise<void> {
    const path = `${checkpointsOf(container)}/${pathPart(name)}`;
    await this.#connection.json({ method: "DELETE", path });
  }

  async #revive(path: string, name: string | undefined): Promise<string> {
    const answer = await this.#connection.json({ method: "POST", path, query: { name } });
    return readBySchema(made, answer).Id;
  }
}

function checkpointsOf(container: string): string {
  return `/containers/${pathPart(container)}/checkpoints`;
}
