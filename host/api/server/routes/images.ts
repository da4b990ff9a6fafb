/** Images of the store: what there is, names, removal. */

import { engineError } from "../../../engine/errors.ts";
import type { ImageView } from "../../../engine/images/image-view.ts";
import type { RemovedImages } from "../../../engine/images/remove-image.ts";
import { imageId } from "../../docker/container-json.ts";
import { apiError } from "../../docker/errors.ts";
import { Filters, hasLabel } from "../../docker/filters.ts";
import {
  familiarName,
  filterImages,
  historyJson,
  IMAGE_FILTERS,
  imageJson,
  imageSummaryJson,
} from "../../docker/image-json.ts";
import { parseTime } from "../../docker/time-text.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";

export const imageRoutes: readonly Route[] = [
  { method: "GET", pattern: "/images/json", handle: list },
  { method: "POST", pattern: "/images/prune", handle: prune },
  { method: "GET", pattern: "/images/{name...}/json", handle: inspect },
  { method: "GET", pattern: "/images/{name...}/history", handle: history },
  { method: "POST", pattern: "/images/{name...}/tag", handle: tag },
  { method: "DELETE", pattern: "/images/{name...}", handle: remove },
];

async function list({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), IMAGE_FILTERS);
  const [images, containers] = await Promise.all([
    engine.images().list(caller),
    engine.list(caller),
  ]);
  const users = (id: string) => containers.filter((view) => imageId(view) === id).length;
  const newestFirst = [...filterImages(images, filters)].sort((a, b) =>
    (b.created ?? "").localeCompare(a.created ?? ""),
  );
  reply.json(
    200,
    newestFirst.map((image) => imageSummaryJson(image, users(image.id))),
  );
}

async function inspect(call: ApiCall): Promise<void> {
  const image = await call.engine.images().find(call.parameter("name"), call.caller);
  call.reply.json(200, imageJson(image));
}

async function history(call: ApiCall): Promise<void> {
  const image = await call.engine.images().find(call.parameter("name"), call.caller);
  call.reply.json(200, historyJson(image));
}

async function tag(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const repository = query.text("repo");
  if (repository === "") throw apiError("BAD_REQUEST", "repo is required");
  const image = await engine.images().find(call.parameter("name"), caller);
  await engine.images().tag(image.id, caller, imageName(repository, query.text("tag")));
  reply.empty(201);
}

/** The name that `repo` and `tag` of a query make. */
export function imageName(repository: string, tag: string): string {
  if (tag === "") return repository;
  return tag.includes(":") ? `${repository}@${tag}` : `${repository}:${tag}`;
}

async function remove(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const name = call.parameter("name");
  const force = query.flag("force");
  const images = engine.images();
  await checkUnused(call, await images.findListed(name, caller), force);
  const removed = await images.remove(name, caller, { force });
  reply.json(200, removedJson(removed));
}

/** A running container keeps the last name of its image, a stopped one unless forced (moby image_delete.go). */
async function checkUnused(call: ApiCall, image: ImageView, force: boolean): Promise<void> {
  if (image.names.length > 1) return;
  for (const view of await call.engine.list(call.caller)) {
    if (imageId(view) !== image.id) continue;
    const runs = view.state.status === "running" || view.state.status === "paused";
    if (force && !runs) continue;
    const name = familiarName(call.parameter("name"));
    throw engineError(
      "WRONG_STATE",
      `conflict: unable to remove repository reference "${name}" (${runs ? "cannot be forced" : "must force"}) - container ${view.id.slice(0, 12)} is using its referenced image ${image.id.replace("sha256:", "").slice(0, 12)}`,
    );
  }
}

async function prune({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), ["dangling", "label", "label!", "until"]);
  const danglingOnly = filters.flag("dangling", true);
  const until = parseTime("until", filters.get("until")[0] ?? "", Date.now());
  const [images, containers] = await Promise.all([
    engine.images().list(caller),
    engine.list(caller),
  ]);
  const used = new Set(containers.map(imageId));
  const chosen = images.filter(
    (image) =>
      !used.has(image.id) &&
      !(danglingOnly && image.names.length > 0) &&
      filters.acceptsLabels(image.run.labels) &&
      !filters.get("label!").some((wanted) => hasLabel(image.run.labels, wanted)) &&
      (until === undefined || isOlder(image, until)),
  );
  const ids = chosen.map(({ id }) => id);
  const removed = await engine.images().prune(ids, caller);
  const deleted = removedJson(removed);
  reply.json(200, {
    ImagesDeleted: deleted.length > 0 ? deleted : null,
    SpaceReclaimed: removed.reclaimed,
  });
}

function isOlder({ created }: ImageView, until: bigint): boolean {
  const time = Date.parse(created ?? "");
  return Number.isNaN(time) || BigInt(time) * 1_000_000n < until;
}

function removedJson({ untagged, deleted }: RemovedImages): Record<string, string>[] {
  return [
    ...untagged.map((name) => ({ Untagged: familiarName(name) })),
    ...deleted.map((digest) => ({ Deleted: digest })),
  ];
}
