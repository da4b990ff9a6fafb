/** Containers saved while they run: snapshots and forks, which Docker has not, and Docker's checkpoints. */

import { apiError } from "../../docker/errors.ts";
import { boolean, object, optional, readBySchema, string } from "../../docker/schema.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";
import type { SnapshotCalls } from "../snapshot-calls.ts";
import { answerTold } from "../told-work.ts";

export const snapshotRoutes: readonly Route[] = [
  { method: "GET", pattern: "/dvm/snapshots", handle: list },
  { method: "POST", pattern: "/dvm/snapshots", handle: create },
  { method: "DELETE", pattern: "/dvm/snapshots/{name}", handle: remove },
  { method: "POST", pattern: "/dvm/snapshots/{name}/restore", handle: restore },
  { method: "POST", pattern: "/dvm/containers/{id}/fork", handle: fork },
  { method: "GET", pattern: "/containers/{id}/checkpoints", handle: listCheckpoints },
  { method: "POST", pattern: "/containers/{id}/checkpoints", handle: createCheckpoint },
  {
    method: "DELETE",
    pattern: "/containers/{id}/checkpoints/{checkpoint}",
    handle: removeCheckpoint,
  },
];

async function list({ engine, caller, reply }: ApiCall): Promise<void> {
  const all = engine.snapshots().list(caller);
  reply.json(
    200,
    all.map(({ id, name, created, record, size }) => ({
      Id: id,
      Name: name,
      Created: created,
      Container: record.name,
      Image: record.config.image,
      Size: size,
    })),
  );
}

async function create(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const { id: container } = await call.container(query.text("container") ?? "");
  const { id, name } = await engine.snapshots().create(container, caller, query.given("name"));
  reply.json(201, { Id: id, Name: name });
}

async function remove(call: ApiCall): Promise<void> {
  await call.engine.snapshots().remove(call.parameter("name"), call.caller);
  call.reply.empty(204);
}

async function restore(call: ApiCall): Promise<void> {
  const { engine, caller, query } = call;
  await answerTold(call, async () => {
    const name = query.given("name");
    const made = await engine.snapshots().restore(call.parameter("name"), caller, name);
    return { status: 201, body: { Id: made.id, Name: made.name } };
  });
}

async function fork(call: ApiCall): Promise<void> {
  const { engine, caller, query } = call;
  const { id } = await call.container();
  await answerTold(call, async () => {
    const made = await engine.snapshots().fork(id, caller, query.given("name"));
    return { status: 201, body: { Id: made.id, Name: made.name } };
  });
}

async function listCheckpoints(call: ApiCall): Promise<void> {
  const snapshots = experimental(call);
  const { id } = await call.container();
  refuseFolder(call.query.given("dir"));
  call.reply.json(
    200,
    snapshots.checkpoints(id).map(({ name }) => ({ Name: name })),
  );
}

const checkpointBody = object({
  CheckpointID: optional(string),
  CheckpointDir: optional(string),
  Exit: optional(boolean),
});

async function createCheckpoint(call: ApiCall): Promise<void> {
  const snapshots = experimental(call);
  const body = readBySchema(checkpointBody, await call.json());
  const { CheckpointID: name, CheckpointDir: folder, Exit: exit } = body;
  const { id } = await call.container();
  refuseFolder(folder);
  await snapshots.createCheckpoint(id, name ?? "", exit === true);
  call.reply.empty(201);
}

async function removeCheckpoint(call: ApiCall): Promise<void> {
  const snapshots = experimental(call);
  const { id } = await call.container();
  refuseFolder(call.query.given("dir"));
  await snapshots.removeCheckpoint(id, call.parameter("checkpoint"));
  call.reply.empty(204);
}

/** In dockerd's words (moby api/server/middleware and router/experimental.go). */
function experimental({ engine }: ApiCall): SnapshotCalls {
  const snapshots = engine.snapshots();
  if (snapshots.hasCheckpoints) return snapshots;
  throw apiError(
    "UNSUPPORTED",
    "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it.",
  );
}

function refuseFolder(folder: string | undefined | null): void {
  if (!folder) return;
  throw apiError("UNSUPPORTED", "custom checkpointdir is not supported: dvmd keeps checkpoints");
}
