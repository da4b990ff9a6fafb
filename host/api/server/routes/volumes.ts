/** Volumes: made, told, removed. And the cache of builds, which is always empty, so that `docker system prune` works. */

import { Filters } from "../../docker/filters.ts";
import { readBySchema } from "../../docker/schema.ts";
import {
  acceptsVolume,
  isToPrune,
  readVolumeCreate,
  VOLUME_FILTERS,
  VOLUME_PRUNE_FILTERS,
  volumeCreateBody,
  volumeJson,
} from "../../docker/volume-json.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";

export const volumeRoutes: readonly Route[] = [
  { method: "GET", pattern: "/volumes", handle: list },
  { method: "POST", pattern: "/volumes/create", handle: create },
  { method: "POST", pattern: "/volumes/prune", handle: prune },
  { method: "GET", pattern: "/volumes/{name}", handle: inspect },
  { method: "DELETE", pattern: "/volumes/{name}", handle: remove },
  {
    method: "POST",
    pattern: "/build/prune",
    handle: async ({ reply }) => reply.json(200, { CachesDeleted: null, SpaceReclaimed: 0 }),
  },
];

async function list({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), VOLUME_FILTERS);
  const found = engine
    .volumes()
    .list(caller)
    .filter((volume) => acceptsVolume(filters, volume));
  reply.json(200, { Volumes: found.map((volume) => volumeJson(volume)), Warnings: null });
}

async function create(call: ApiCall): Promise<void> {
  const options = readVolumeCreate(readBySchema(volumeCreateBody, await call.json({})));
  call.reply.json(201, volumeJson(await call.engine.volumes().create(options, call.caller)));
}

async function inspect(call: ApiCall): Promise<void> {
  call.reply.json(200, volumeJson(call.engine.volumes().find(call.parameter("name"), call.caller)));
}

async function remove(call: ApiCall): Promise<void> {
  const force = call.query.flag("force");
  await call.engine.volumes().remove(call.parameter("name"), call.caller, { force });
  call.reply.empty(204);
}

async function prune({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), VOLUME_PRUNE_FILTERS);
  const { names, reclaimed } = await engine
    .volumes()
    .prune((volume) => isToPrune(filters, volume), caller);
  reply.json(200, {
    VolumesDeleted: names.length > 0 ? names : null,
    SpaceReclaimed: reclaimed,
  });
}
