/** What a container's start and end are to its networks and volumes, as Docker tells it. */

import type { ContainerRecord } from "../container-record.ts";
import { NetworkStore } from "../networks/network-store.ts";
import { networkMode } from "../networks/prepare-network.ts";
import type { StoredVolume } from "../volumes/volume-store.ts";
import type { DaemonEvent } from "./model.ts";

export type UntimedEvent = Omit<DaemonEvent, "time">;

/** Which words of Docker's these are for networks and volumes (moby daemon/events.go, container_operations.go). */
const WORDS = {
  start: { network: "connect", volume: "mount" },
  die: { network: "disconnect", volume: "unmount" },
} as const;

/** Those that go with a container's start, before it, and with its end, after it; none with anything else. */
export function sideEvents(
  record: ContainerRecord,
  action: string,
  dataRoot: string,
): readonly UntimedEvent[] {
  if (action !== "start" && action !== "die") return [];
  const words = WORDS[action];
  const { id: container, owner } = record;
  const whose = owner === undefined ? {} : { owner };
  const networks = networksOf(record, dataRoot).map(
    ({ id, ...about }): UntimedEvent => ({
      type: "network",
      action: words.network,
      id,
      attributes: { ...about, container },
      ...whose,
    }),
  );
  const volumes = (record.mounts ?? []).flatMap(
    ({ type, name = "", destination, readOnly }): UntimedEvent[] => {
      if (type !== "volume") return [];
      const more = { destination, "read/write": String(!readOnly), propagation: "" };
      const attributes = { driver: "local", container, ...(action === "start" ? more : {}) };
      return [{ type: "volume", action: words.volume, id: name, attributes, ...whose }];
    },
  );
  return [...networks, ...volumes];
}

/** That a volume was made or removed. */
export function volumeEvent(
  action: "create" | "destroy",
  { name, owner }: Pick<StoredVolume, "name" | "owner">,
): UntimedEvent {
  const whose = owner === undefined ? {} : { owner };
  return { type: "volume", action, id: name, attributes: { driver: "local" }, ...whose };
}

interface NamedNetwork {
  readonly id: string;
  readonly name: string;
  /** its driver */
  readonly type: string;
}

const DRIVERS: Readonly<Record<string, string>> = { none: "null", user: "user", bridge: "bridge" };

function networksOf({ config, owner }: ContainerRecord, dataRoot: string): NamedNetwork[] {
  return [config.network, ...(config.networking?.further ?? [])].flatMap((name) => {
    const mode = networkMode(name);
    const driver = DRIVERS[mode];
    if (driver !== undefined) return [{ id: mode, name: mode, type: driver }];
    if (mode !== "named") return [];
    const found = new NetworkStore(dataRoot).seek(name, owner);
    return found === undefined ? [] : [{ id: found.id, name: found.name, type: "bridge" }];
  });
}
