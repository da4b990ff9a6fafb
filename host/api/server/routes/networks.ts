/** Networks: made, told, removed, and containers put into them. */

import type { NetworkView } from "../../../engine/networks/network-store.ts";
import { apiError } from "../../docker/errors.ts";
import { Filters, hasLabel } from "../../docker/filters.ts";
import {
  acceptsNetwork,
  NETWORK_FILTERS,
  networkConnectBody,
  networkCreateBody,
  networkDisconnectBody,
  networkJson,
  readNetworkCreate,
} from "../../docker/network-json.ts";
import { readJoin } from "../../docker/networking.ts";
import { readBySchema } from "../../docker/schema.ts";
import { parseTime } from "../../docker/time-text.ts";
import type { ApiCall } from "../api-call.ts";
import { mayTouch } from "../may-touch.ts";
import type { Route } from "../router.ts";

export const networkRoutes: readonly Route[] = [
  { method: "GET", pattern: "/networks", handle: list },
  { method: "POST", pattern: "/networks/create", handle: create },
  { method: "POST", pattern: "/networks/prune", handle: prune },
  { method: "GET", pattern: "/networks/{id}", handle: inspect },
  { method: "DELETE", pattern: "/networks/{id}", handle: remove },
  { method: "POST", pattern: "/networks/{id}/connect", handle: connect },
  { method: "POST", pattern: "/networks/{id}/disconnect", handle: disconnect },
];

async function list(call: ApiCall): Promise<void> {
  const filters = Filters.parse(call.query.text("filters"), NETWORK_FILTERS);
  const views = await call.engine.listNetworks(call.caller);
  const mine = await ownContainers(call);
  const found = views.filter((view) => acceptsNetwork(filters, view));
  // who is in a network is told by `inspect` alone, as in Docker
  call.reply.json(
    200,
    found.map((view) => ({ ...networkJson(view, mine), Containers: {} })),
  );
}

async function inspect(call: ApiCall): Promise<void> {
  const view = await call.engine.findNetwork(call.parameter("id"), call.caller);
  call.reply.json(200, networkJson(view, await ownContainers(call)));
}

async function create(call: ApiCall): Promise<void> {
  const options = readNetworkCreate(readBySchema(networkCreateBody, await call.json()));
  const id = await call.engine.createNetwork(options, call.caller);
  call.reply.json(201, { Id: id, Warning: "" });
}

async function remove(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const view = await engine.findNetwork(call.parameter("id"), caller);
  if (view.isBuiltIn) {
    throw apiError("FORBIDDEN", `${view.name} is a pre-defined network and cannot be removed`);
  }
  await engine.removeNetwork(view.id, caller);
  reply.empty(204);
}

async function prune({ engine, caller, query, reply }: ApiCall): Promise<void> {
  const filters = Filters.parse(query.text("filters"), ["label", "label!", "until"]);
  const until = parseTime("until", filters.get("until")[0] ?? "", Date.now());
  const isMeant = ({ isBuiltIn, endpoints, labels, created, owner }: NetworkView) =>
    !isBuiltIn &&
    mayTouch(caller, owner) &&
    endpoints.length === 0 &&
    filters.acceptsLabels(labels) &&
    !filters.get("label!").some((wanted) => hasLabel(labels, wanted)) &&
    (until === undefined || BigInt(Date.parse(created)) * 1_000_000n < until);
  const deleted: string[] = [];
  for (const view of await engine.listNetworks(caller)) {
    if (!isMeant(view)) continue;
    try {
      await engine.removeNetwork(view.id, caller);
      deleted.push(view.name);
    } catch (error) {
      // one that was joined, or removed by another, in the meantime
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code !== "NETWORK_IN_USE" && code !== "NO_SUCH_NETWORK") throw error;
    }
  }
  reply.json(200, { NetworksDeleted: deleted.length > 0 ? deleted : null });
}

async function connect(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const { Container, EndpointConfig } = readBySchema(networkConnectBody, await call.json());
  const network = await engine.findNetwork(call.parameter("id"), caller);
  const join = readJoin(network.name, EndpointConfig);
  const { id } = await call.container(Container);
  await engine.connectNetwork(network.id, caller, { container: id, ...join });
  reply.empty(200);
}

async function disconnect(call: ApiCall): Promise<void> {
  const { engine, caller, reply } = call;
  const { Container } = readBySchema(networkDisconnectBody, await call.json());
  const network = await engine.findNetwork(call.parameter("id"), caller);
  const { id } = await call.container(Container);
  await engine.disconnectNetwork(network.id, caller, id);
  reply.empty(200);
}

/** Names by id. */
async function ownContainers({ engine, caller }: ApiCall): Promise<ReadonlyMap<string, string>> {
  const all = await engine.list(caller);
  return new Map(
    all.filter(({ owner }) => mayTouch(caller, owner)).map(({ id, name }) => [id, name]),
  );
}
