/** The daemon about itself. */

import { EVENT_FILTERS, eventFits, eventLine } from "../../docker/event-json.ts";
import { Filters } from "../../docker/filters.ts";
import { API_VERSION, diskUsageJson, infoJson, versionJson } from "../../docker/system-json.ts";
import { parseTime } from "../../docker/time-text.ts";
import { volumeJson } from "../../docker/volume-json.ts";
import type { ApiCall } from "../api-call.ts";
import { mayTouch } from "../may-touch.ts";
import type { Route } from "../router.ts";

export const systemRoutes: readonly Route[] = [
  { method: "GET", pattern: "/_ping", handle: ping },
  { method: "HEAD", pattern: "/_ping", handle: ping },
  { method: "GET", pattern: "/version", handle: version },
  { method: "GET", pattern: "/info", handle: info },
  { method: "GET", pattern: "/events", handle: events },
  { method: "GET", pattern: "/system/df", handle: diskUsage },
];

async function ping({ request, reply }: ApiCall): Promise<void> {
  reply.header("Cache-Control", "no-cache, no-store, must-revalidate");
  reply.header("Pragma", "no-cache");
  reply.header("API-Version", API_VERSION);
  reply.header("Swarm", "inactive");
  reply.text(200, request.method === "HEAD" ? "" : "OK");
}

async function version({ engine, reply }: ApiCall): Promise<void> {
  reply.json(200, versionJson(await engine.version()));
}

async function info({ engine, caller, reply }: ApiCall): Promise<void> {
  const [about, containers] = await Promise.all([engine.info(caller), engine.list(caller)]);
  const own = containers.filter(({ owner }) => mayTouch(caller, owner));
  reply.json(200, infoJson(about, own));
}

async function events({ engine, caller, query, reply, signal }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), EVENT_FILTERS);
  const now = Date.now();
  const since = parseTime("since", query.text("since"), now);
  const until = parseTime("until", query.text("until"), now);
  const source = engine.events({
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    signal,
  });
  reply.begin("application/json");
  for await (const event of source) {
    const isOwn = event.owner === undefined || mayTouch(caller, event.owner);
    if (isOwn && eventFits(event, filters)) await reply.write(eventLine(event));
  }
  reply.end();
}

async function diskUsage({ engine, caller, reply }: ApiCall): Promise<void> {
  const volumes = engine.volumes();
  const [usage, images, containers, counted] = await Promise.all([
    engine.diskUsage(caller),
    engine.images().list(caller),
    engine.list(caller),
    Promise.all(
      volumes.list(caller).map(async (each) => volumeJson(each, await volumes.size(each))),
    ),
  ]);
  const own = containers.filter(({ owner }) => mayTouch(caller, owner));
  const told = diskUsageJson({ usage, images, containers: own, now: Date.now() });
  // Docker's clients know no snapshots, and leave them out
  const snapshots = engine.snapshots().list(caller);
  const saved = snapshots.map(({ name, size }) => ({ Name: name, Size: size }));
  reply.json(200, { ...told, Volumes: counted, Snapshots: saved });
}
