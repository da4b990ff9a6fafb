/** Containers from creation to removal. */

import { isAbsolute } from "node:path";
import type { ContainerView } from "../../../engine/daemon/model.ts";
import { CONTAINER_FILTERS, filterContainers } from "../../docker/container-filter.ts";
import { containerJson, containerSummaryJson } from "../../docker/container-json.ts";
import { createBody } from "../../docker/create-body.ts";
import { discardedLimits } from "../../docker/discarded-limits.ts";
import { apiError } from "../../docker/errors.ts";
import { Filters, hasLabel } from "../../docker/filters.ts";
import { mergedConfig } from "../../docker/merged-config.ts";
import { readCreate } from "../../docker/read-create.ts";
import { readBySchema } from "../../docker/schema.ts";
import { parseTime } from "../../docker/time-text.ts";
import type { ApiCall } from "../api-call.ts";
import { mayTouch } from "../may-touch.ts";
import type { Route } from "../router.ts";
import { answerTold } from "../told-work.ts";

export const containerRoutes: readonly Route[] = [
  { method: "GET", pattern: "/containers/json", handle: list },
  { method: "POST", pattern: "/containers/create", handle: create },
  { method: "POST", pattern: "/containers/prune", handle: prune },
  { method: "GET", pattern: "/containers/{id}/json", handle: inspect },
  { method: "POST", pattern: "/containers/{id}/rename", handle: rename },
  { method: "DELETE", pattern: "/containers/{id}", handle: remove },
];

/** Statuses of containers that `ps` shows without `--all`. */
const LIVE: ReadonlySet<string> = new Set(["running", "paused", "restarting"]);
/** Statuses of containers that prune takes. */
const STOPPED: ReadonlySet<string> = new Set(["created", "exited", "dead"]);
/** Image references that name files of the host. */
const FILE_REFERENCE = /^(?:oci|oci-archive|docker-archive):(.*)$/s;

async function list({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), CONTAINER_FILTERS);
  const limit = query.integer("limit") ?? 0;
  // naming a status or a limit asks for all of them, as in Docker
  const all = query.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
  const own = await ownContainers({ engine, caller });
  const found = filterContainers(own, filters).filter(({ state }) => all || LIVE.has(state.status));
  const shown = limit > 0 ? found.slice(0, limit) : found;
  const now = Date.now();
  const withSizes = query.flag("size");
  const summaries = shown.map(async (view) =>
    containerSummaryJson(
      view,
      withSizes ? { now, sizes: await engine.sizes(view.id, caller) } : { now },
    ),
  );
  reply.json(200, await Promise.all(summaries));
}

async function create(call: ApiCall): Promise<void> {
  const { engine, caller, query } = call;
  const body = readBySchema(createBody, await call.json());
  const platform = query.given("platform");
  const config = readCreate(body, { name: query.given("name"), platform });
  checkFileReference(call, config.image);
  await answerTold(call, async (signal) => {
    const { id, warnings = [] } = await engine.create(config, caller, { signal });
    const told = [...warnings, ...discardedLimits(body.HostConfig)];
    return { status: 201, body: { Id: id, Warnings: told } };
  });
}

/** Files are read with the daemon's rights: nobody else may have it read some. */
function checkFileReference({ caller }: ApiCall, image: string): void {
  const path = FILE_REFERENCE.exec(image)?.[1];
  if (path === undefined) return;
  if (!mayTouch(caller, undefined)) {
    throw apiError("FORBIDDEN", `only the daemon's own user may name files: ${image}`);
  }
  if (!isAbsolute(path)) {
    throw apiError("BAD_REQUEST", `the path of an image has to be absolute: ${image}`);
  }
}

async function inspect(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const view = await call.container();
  const sizes = query.flag("size") ? await engine.sizes(view.id, caller) : undefined;
  reply.json(200, containerJson(view, sizes));
}

async function rename(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const view = await call.container();
  const name = query.text("name").replace(/^\//, "");
  if (name === "") throw apiError("BAD_REQUEST", "neither old nor new names may be empty");
  if (name === view.name) {
    throw apiError("BAD_REQUEST", "renaming a container with the same name as its current name");
  }
  await engine.rename(view.id, caller, name);
  reply.empty(204);
}

async function remove(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  if (query.flag("link")) throw apiError("UNSUPPORTED", "removing links is not supported");
  const view = await call.container();
  const force = query.flag("force");
  await engine.remove(view.id, caller, { force, volumes: query.flag("v") });
  reply.empty(204);
}

async function prune({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), ["label", "label!", "until"]);
  const until = pruneTime(filters);
  const own = await ownContainers({ engine, caller });
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const view of own) {
    if (!STOPPED.has(view.state.status) || !isPruned(view, filters, until)) continue;
    const { writable } = await engine.sizes(view.id, caller);
    if (!(await removedIfStopped({ engine, caller }, view.id))) continue;
    deleted.push(view.id);
    reclaimed += writable;
  }
  reply.json(200, {
    ContainersDeleted: deleted.length > 0 ? deleted : null,
    SpaceReclaimed: reclaimed,
  });
}

function pruneTime(filters: Filters): bigint | undefined {
  const [text = "", ...more] = filters.get("until");
  if (more.length > 0) throw apiError("BAD_REQUEST", "more than one until filter specified");
  return parseTime("until", text, Date.now());
}

function isPruned(view: ContainerView, filters: Filters, until: bigint | undefined): boolean {
  const { labels } = mergedConfig(view);
  const created = BigInt(Date.parse(view.created)) * 1_000_000n;
  return (
    filters.acceptsLabels(labels) &&
    !filters.get("label!").some((wanted) => hasLabel(labels, wanted)) &&
    (until === undefined || created < until)
  );
}

/** A container that was started, or removed by another, in the meantime is left alone. */
async function removedIfStopped(
  { engine, caller }: Pick<ApiCall, "engine" | "caller">,
  id: string,
): Promise<boolean> {
  try {
    await engine.remove(id, caller, { force: false, volumes: false });
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "WRONG_STATE" || code === "NO_SUCH_CONTAINER") return false;
    throw error;
  }
}

async function ownContainers({
  engine,
  caller,
}: Pick<ApiCall, "engine" | "caller">): Promise<readonly ContainerView[]> {
  const all = await engine.list(caller);
  return all.filter(({ owner }) => mayTouch(caller, owner));
}
