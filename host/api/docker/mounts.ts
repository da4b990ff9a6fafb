/** Mounts and volumes of a container between Docker's bodies and the engine's terms (moby api/types/mount, container). */

import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { MountConfig, MountPoint } from "../../engine/volumes/mount-config.ts";
import type { CreateBody, MountBody } from "./create-body.ts";
import { apiError } from "./errors.ts";
import { boolean, map, object, optional, readBySchema, string } from "./schema.ts";
import { parseVolume, volumeText } from "./volume-spec.ts";

const bindOptions = object({
  Propagation: string,
  NonRecursive: boolean,
  CreateMountpoint: boolean,
  ReadOnlyNonRecursive: boolean,
});
const volumeOptions = object({
  NoCopy: boolean,
  Labels: map(string),
  Subpath: string,
  DriverConfig: optional(object({ Name: string, Options: map(string) })),
});

type Mounts = Pick<DaemonContainerConfig, "mounts" | "volumesFrom">;

/** What is no tmpfs. @throws DvmError `BAD_REQUEST`, `UNSUPPORTED`, each naming the mount */
export function readMounts(body: CreateBody): Mounts {
  const { Binds, Mounts, VolumesFrom, VolumeDriver } = body.HostConfig;
  const mounts = [
    ...[...Binds, ...Object.keys(body.Volumes)].map((text) => readShort(text, VolumeDriver)),
    ...Mounts.filter(({ Type }) => Type !== "tmpfs").map(readLong),
  ];
  return {
    ...(mounts.length > 0 ? { mounts } : {}),
    ...(VolumesFrom.length > 0 ? { volumesFrom: VolumesFrom } : {}),
  };
}

/** The fields of the create body's own level, and of `HostConfig`. */
export function writeMounts({ mounts = [], volumesFrom }: DaemonContainerConfig) {
  const short = mounts.filter(({ isLong }) => !isLong);
  const binds = short.flatMap((mount) => volumeText(mount) ?? []);
  const anonymous = short.filter((mount) => volumeText(mount) === undefined);
  const long = mounts.filter(({ isLong }) => isLong);
  const driver = short.find((mount) => mount.type === "volume" && mount.driver !== undefined);
  return {
    volumes: anonymous.map(({ destination }) => destination),
    host: {
      Binds: binds.length > 0 ? binds : null,
      ...(long.length > 0 ? { Mounts: long.map(longJson) } : {}),
      VolumeDriver: driver?.type === "volume" ? (driver.driver ?? "") : "",
      VolumesFrom: volumesFrom ?? null,
    },
  };
}

/** `Mounts` of `GET /containers/{id}/json`. */
export function mountsJson(mounts: readonly MountPoint[] = []): Record<string, unknown>[] {
  return mounts.map(({ type, name, source, destination, readOnly, modes = [] }) => ({
    Type: type,
    ...(name === undefined ? {} : { Name: name }),
    Source: source,
    Destination: destination,
    ...(type === "volume" ? { Driver: "local" } : {}),
    Mode: modes.join(","),
    RW: !readOnly,
    Propagation: type === "bind" ? "rprivate" : "",
  }));
}

function readShort(text: string, driver: string): MountConfig {
  try {
    const mount = parseVolume(text);
    return mount.type === "volume" && driver !== "" ? { ...mount, driver } : mount;
  } catch (cause) {
    throw apiError("BAD_REQUEST", (cause as Error).message.slice(0, 400), { cause });
  }
}

function readLong(body: MountBody): MountConfig {
  const { Type, Source, Target, ReadOnly } = body;
  const common = { destination: Target, readOnly: ReadOnly, isLong: true } as const;
  if (Type === "bind") return { type: "bind", source: Source, ...common, ...readBind(body) };
  if (Type === "volume") return { type: "volume", name: Source, ...common, ...readVolume(body) };
  throw apiError(
    "UNSUPPORTED",
    `a mount of type ${JSON.stringify(Type.slice(0, 40))} is not supported: bind, volume, tmpfs are`,
  );
}

function readBind({ Source, BindOptions }: MountBody): { readonly createSource: boolean } {
  const options = readBySchema(bindOptions, BindOptions);
  if (Source === "") {
    throw apiError(
      "BAD_REQUEST",
      'invalid mount config for type "bind": field Source must not be empty',
    );
  }
  if (!["", "private", "rprivate"].includes(options.Propagation)) {
    const wish = options.Propagation.slice(0, 40);
    throw apiError("UNSUPPORTED", `mount propagation ${JSON.stringify(wish)} is not supported`);
  }
  if (options.NonRecursive || options.ReadOnlyNonRecursive) {
    throw apiError("UNSUPPORTED", "a bind mount that leaves out mounts below is not supported");
  }
  return { createSource: options.CreateMountpoint };
}

function readVolume({ VolumeOptions }: MountBody) {
  const { NoCopy, Labels, Subpath, DriverConfig } = readBySchema(volumeOptions, VolumeOptions);
  const { Name = "", Options = {} } = DriverConfig ?? {};
  return {
    noCopy: NoCopy,
    ...(Subpath === "" ? {} : { subpath: Subpath }),
    ...(Name === "" ? {} : { driver: Name }),
    ...(Object.keys(Options).length > 0 ? { driverOptions: Options } : {}),
    ...(Object.keys(Labels).length > 0 ? { labels: Labels } : {}),
  };
}

function longJson(mount: MountConfig): Record<string, unknown> {
  const common = { Type: mount.type, Target: mount.destination, ReadOnly: mount.readOnly };
  if (mount.type === "bind") {
    const options = mount.createSource ? { BindOptions: { CreateMountpoint: true } } : {};
    return { ...common, Source: mount.source, ...options };
  }
  const { name, noCopy, labels, subpath, driver, driverOptions } = mount;
  const config = { Name: driver ?? "", Options: driverOptions ?? {} };
  return {
    ...common,
    ...(name === "" ? {} : { Source: name }),
    VolumeOptions: {
      NoCopy: noCopy,
      ...(labels === undefined ? {} : { Labels: labels }),
      ...(subpath === undefined ? {} : { Subpath: subpath }),
      ...(driver === undefined && driverOptions === undefined ? {} : { DriverConfig: config }),
    },
  };
}
