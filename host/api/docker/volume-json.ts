/** Volumes in Docker's API 1.47 (moby api/types/volume): the body that asks for one, and how they are told. */

import type { CreateVolumeOptions, VolumeView } from "../../engine/volumes/volume-store.ts";
import { type Filters, fitsName, hasLabel } from "./filters.ts";
import { type Infer, map, object, string } from "./schema.ts";

export const volumeCreateBody = object({
  Name: string,
  Driver: string,
  DriverOpts: map(string),
  Labels: map(string),
});

export const VOLUME_FILTERS = ["dangling", "driver", "label", "name"];
export const VOLUME_PRUNE_FILTERS = ["all", "label", "label!"];

export function readVolumeCreate(body: Infer<typeof volumeCreateBody>): CreateVolumeOptions {
  const { Name, Driver, DriverOpts, Labels } = body;
  return {
    ...(Name === "" ? {} : { name: Name }),
    driver: Driver,
    options: DriverOpts,
    labels: Labels,
  };
}

/** @param size what it takes on the disk, in `bytes`; absent: not counted */
export function volumeJson(view: VolumeView, size?: number): Record<string, unknown> {
  const { name, created, labels, options, path, users } = view;
  return {
    CreatedAt: created,
    Driver: "local",
    Labels: Object.keys(labels).length > 0 ? labels : null,
    Mountpoint: path,
    Name: name,
    Options: Object.keys(options).length > 0 ? options : null,
    Scope: "local",
    ...(size === undefined ? {} : { UsageData: { Size: size, RefCount: users.length } }),
  };
}

export function acceptsVolume(filters: Filters, { name, labels, users }: VolumeView): boolean {
  return (
    filters.accepts("name", (value) => name.includes(value) || fitsName(name, value)) &&
    filters.accepts("driver", (value) => value === "local") &&
    filters.acceptsLabels(labels) &&
    (!filters.has("dangling") || filters.flag("dangling", false) === (users.length === 0))
  );
}

/** Those without a name alone, unless all are meant. */
export function isToPrune(filters: Filters, { labels, isAnonymous }: VolumeView): boolean {
  return (
    (isAnonymous || filters.flag("all", false)) &&
    filters.acceptsLabels(labels) &&
    !filters.get("label!").some((unwanted) => hasLabel(labels, unwanted))
  );
}
