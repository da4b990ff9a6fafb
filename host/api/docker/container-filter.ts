/** Which containers `GET /containers/json` and prune take (moby daemon/list.go). */

import type { ContainerView } from "../../engine/daemon/model.ts";
import { imageId } from "./container-json.ts";
import { apiError } from "./errors.ts";
import { type Filters, fitsName } from "./filters.ts";
import { mergedConfig } from "./merged-config.ts";

export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;

const STATUSES: ReadonlySet<string> = new Set([
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
]);
const HEALTHS: ReadonlySet<string> = new Set(["none", "starting", "healthy", "unhealthy"]);

/**
 * @returns those that fit, in the order given
 * @throws DvmError `BAD_REQUEST` for values that no container can have
 */
export function filterContainers(
  all: readonly ContainerView[],
  filters: Filters,
): readonly ContainerView[] {
  checkValues(filters);
  const before = boundary(all, filters, "before");
  const since = boundary(all, filters, "since");
  return all.filter(
    (view) =>
      fits(view, filters) &&
      (before === undefined || view.created < before.created) &&
      (since === undefined || view.created > since.created),
  );
}

function checkValues(filters: Filters): void {
  const check = (key: string, isValid: (value: string) => boolean) => {
    const bad = filters.get(key).find((value) => !isValid(value));
    if (bad !== undefined) throw apiError("BAD_REQUEST", `invalid filter '${key}=${bad}'`);
  };
  check("status", (value) => STATUSES.has(value));
  check("health", (value) => HEALTHS.has(value));
  check("exited", (value) => /^-?\d{1,9}$/.test(value));
}

function fits(view: ContainerView, filters: Filters): boolean {
  const { state } = view;
  const health = state.health?.status ?? "none";
  return (
    filters.accepts("id", (value) => view.id.startsWith(value)) &&
    filters.accepts("name", (v) => fitsName(view.name, v) || fitsName(`/${view.name}`, v)) &&
    filters.accepts("status", (value) => value === state.status) &&
    filters.accepts("health", (value) => value === health) &&
    filters.accepts("exited", (value) => hasExited(view, Number(value))) &&
    filters.accepts("ancestor", (value) => comesFrom(view, value)) &&
    filters.accepts("network", (value) => value === view.config.network) &&
    filters.accepts("expose", (value) => exposes(view, value)) &&
    filters.accepts("is-task", (value) => value === "false" || value === "0") &&
    filters.accepts("publish", () => false) &&
    filters.accepts("volume", (value) => mounts(view, value)) &&
    filters.acceptsLabels(mergedConfig(view).labels)
  );
}

/** By a volume's name, or by a path on either side. */
function mounts(view: ContainerView, value: string): boolean {
  return (view.mounts ?? []).some(({ name, source, destination }) =>
    [name, source, destination].includes(value),
  );
}

function hasExited({ state }: ContainerView, code: number): boolean {
  return state.finishedAt !== undefined && state.status === "exited" && state.exitCode === code;
}

function comesFrom(view: ContainerView, value: string): boolean {
  const { name } = view.image;
  const id = imageId(view);
  const short = name.replace(/^docker\.io\/(?:library\/)?/, "");
  const tagged = /:[^/]+$/.test(value) || value.includes("@") ? value : `${value}:latest`;
  return (
    view.config.image === value ||
    [name, short].includes(tagged) ||
    id === value ||
    (value.length >= 12 && id.replace("sha256:", "").startsWith(value))
  );
}

function exposes(view: ContainerView, value: string): boolean {
  const wanted = value.includes("/") ? value : `${value}/tcp`;
  return mergedConfig(view).exposedPorts?.includes(wanted) ?? false;
}

function boundary(
  all: readonly ContainerView[],
  filters: Filters,
  key: "before" | "since",
): ContainerView | undefined {
  const [reference] = filters.get(key);
  if (reference === undefined) return undefined;
  const name = reference.replace(/^\//, "");
  const found = all.find(
    (view) => view.id === reference || view.name === name || view.id.startsWith(reference),
  );
  if (found === undefined) throw apiError("BAD_REQUEST", `no such container: ${reference}`);
  return found;
}
