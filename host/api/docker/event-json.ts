/** Events as `GET /events` tells them (moby api/types/events, daemon/events/filter.go). */

import type { DaemonEvent } from "../../engine/daemon/model.ts";
import { type Filters, hasLabel } from "./filters.ts";

export const EVENT_FILTERS = [
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "service",
  "type",
  "volume",
  "config",
  "secret",
] as const;

export function eventJson(event: DaemonEvent): Record<string, unknown> {
  return {
    // the first three are those of API versions before 1.22, which clients still read
    ...(event.type === "container" || event.type === "image"
      ? { status: event.action, id: event.id }
      : {}),
    ...(event.type === "container" && event.attributes.image !== undefined
      ? { from: event.attributes.image }
      : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    scope: "local",
    time: Number(event.time / 1_000_000_000n),
    // a JSON number of nineteen digits, which Go reads whole; written as text in its place by `eventLine`
    timeNano: TIME_NANO,
  };
}

const TIME_NANO = "time-nano";

/** One line of the stream: JSON with the time in `nanoseconds`, which JavaScript's numbers do not hold. */
export function eventLine(event: DaemonEvent): string {
  const text = JSON.stringify(eventJson(event));
  const end = text.lastIndexOf(`"${TIME_NANO}"`);
  return `${text.slice(0, end)}${event.time}${text.slice(end + TIME_NANO.length + 2)}\n`;
}

export function eventFits(event: DaemonEvent, filters: Filters): boolean {
  return (
    filters.accepts("event", (value) => fitsAction(event.action, value)) &&
    filters.accepts("type", (value) => value === event.type) &&
    filters.accepts("scope", (value) => value === "local") &&
    ["daemon", "network", "volume", "image", "container"].every((type) =>
      fitsActor(event, filters, type),
    ) &&
    ["node", "plugin", "service", "config", "secret"].every((type) => !filters.has(type)) &&
    filters.get("label").every((wanted) => hasLabel(event.attributes, wanted))
  );
}

/** `health_status` fits `health_status: healthy`. */
function fitsAction(action: string, value: string): boolean {
  return action === value || action.split(":")[0] === value;
}

function fitsActor(event: DaemonEvent, filters: Filters, type: string): boolean {
  if (!filters.has(type)) return true;
  if (type === "image" && event.type === "container") {
    return filters.accepts(type, (value) => isImage(event.attributes.image, value));
  }
  if (event.type !== type) return false;
  return filters.accepts(
    type,
    (value) =>
      event.id.startsWith(value) ||
      event.attributes.name === value ||
      (type === "image" && (isImage(event.id, value) || isImage(event.attributes.name, value))),
  );
}

function isImage(name: string | undefined, value: string): boolean {
  return name !== undefined && (name === value || name.replace(/:[^/:]*$/, "") === value);
}
