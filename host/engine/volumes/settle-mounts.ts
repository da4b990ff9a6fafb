/** What a container finds mounted, settled when it is made: its own mounts, other containers', and the image's volumes. */

import type { ContainerConfig } from "../container-config.ts";
import type { ContainerStore } from "../container-store.ts";
import { isJoined } from "../pods/joins.ts";
import { checkDestination } from "./check-mounts.ts";
import { volumeError } from "./errors.ts";
import type { BindConfig, MountConfig, MountPoint, VolumeMountConfig } from "./mount-config.ts";
import type { VolumeStore, VolumeView } from "./volume-store.ts";

export interface SettleOptions {
  /** id of the container */
  readonly container: string;
  readonly config: Pick<ContainerConfig, "mounts" | "volumesFrom" | "tmpfs"> &
    Partial<Pick<ContainerConfig, "network" | "pidMode" | "ipcMode">>;
  /** paths that the image declares as volumes */
  readonly imageVolumes: readonly string[];
  readonly volumes: VolumeStore;
  /** told of volumes that are made for it */
  readonly onCreated?: (volume: VolumeView) => void;
  /** the containers that `volumesFrom` names */
  readonly containers: ContainerStore;
  /** uid of its owner; absent: the engine's own user's */
  readonly owner?: number;
}

/**
 * Of several for one destination the container's own counts, then those of other containers, then the image's.
 * Volumes that are missing are made; all of them are the container's until `VolumeStore.release`.
 *
 * @throws DvmError for a volume or container that is not there
 */
export async function settleMounts(options: SettleOptions): Promise<MountPoint[]> {
  const { config } = options;
  const settled = new Map<string, MountPoint>();
  const taken = new Set(config.tmpfs.map(({ destination }) => checkDestination(destination)));
  const add = async (destination: string, make: () => Promise<MountPoint>) => {
    const path = checkDestination(destination);
    if (taken.has(path)) return;
    taken.add(path);
    settled.set(path, { ...(await make()), destination: path });
  };
  for (const mount of config.mounts ?? []) {
    await add(mount.destination, () => settleOne(mount, options));
  }
  for (const text of config.volumesFrom ?? []) {
    for (const mount of mountsOf(text, options)) {
      await add(mount.destination, () => borrow(mount, options));
    }
  }
  for (const destination of options.imageVolumes) {
    const volume = { ...ANONYMOUS, destination, ...ownKind(options) };
    await add(destination, () => settleVolume(volume, options));
  }
  return [...settled.values()];
}

const ANONYMOUS = { type: "volume", name: "", readOnly: false, noCopy: false } as const;

/** A machine that runs already takes a disk, but shares no further folder. */
function ownKind({ config }: SettleOptions): Pick<VolumeMountConfig, "driverOptions"> {
  return isJoined(config) ? { driverOptions: { type: "disk" } } : {};
}

async function settleOne(mount: MountConfig, options: SettleOptions): Promise<MountPoint> {
  if (mount.type === "volume") {
    const isOwn = mount.name === "" && mount.driverOptions === undefined;
    return settleVolume(isOwn ? { ...mount, ...ownKind(options) } : mount, options);
  }
  // the daemon's rights are not the caller's: it would read and write for them what they may not
  if (isForeign(options.owner)) {
    throw volumeError(
      "MOUNT_UNSUPPORTED",
      `folder ${mount.source} cannot be shared by a daemon of another user`,
      { hint: "use a volume, or dvm with a daemon of your own" },
    );
  }
  return settleBind(mount);
}

function isForeign(owner: number | undefined): boolean {
  return owner !== undefined && owner !== process.getuid?.();
}

function settleBind({
  source,
  destination,
  readOnly,
  createSource,
  modes,
}: BindConfig): MountPoint {
  return {
    type: "bind",
    source,
    destination,
    readOnly,
    copyUp: false,
    createSource,
    ...(modes === undefined ? {} : { modes }),
  };
}

async function settleVolume(
  mount: VolumeMountConfig,
  { volumes, container, owner, onCreated }: SettleOptions,
): Promise<MountPoint> {
  const wanted = {
    ...(mount.name === "" ? {} : { name: mount.name }),
    ...(mount.driver === undefined ? {} : { driver: mount.driver }),
    ...(mount.driverOptions === undefined ? {} : { options: mount.driverOptions }),
    ...(mount.labels === undefined ? {} : { labels: mount.labels }),
    ...(owner === undefined ? {} : { owner }),
    isForeign: isForeign(owner),
  };
  const volume = await volumes.use(container, wanted, onCreated);
  const isDevice = volume.content.kind === "device";
  return {
    ...placeOf(volume),
    destination: mount.destination,
    readOnly: mount.readOnly || (volume.content.kind === "device" && volume.content.readOnly),
    copyUp: !mount.noCopy && !mount.readOnly && mount.subpath === undefined && !isDevice,
    ...(mount.subpath === undefined ? {} : { subpath: mount.subpath }),
    ...(mount.modes === undefined ? {} : { modes: mount.modes }),
    ...(volume.isAnonymous ? { isAnonymous: true } : {}),
  };
}

function placeOf({ name, path, content }: VolumeView) {
  const isDisk = content.kind === "disk";
  return { type: "volume", name, source: path, ...(isDisk ? { isDisk } : {}) } as const;
}

/** `CONTAINER[:ro|rw]`, as --volumes-from takes it. */
function mountsOf(text: string, { containers, owner }: SettleOptions): MountPoint[] {
  const [, reference = "", mode] = /^(.*?)(?::([^:]*))?$/s.exec(text) ?? [];
  if (reference === "") {
    throw volumeError("MOUNT_INVALID", "malformed volumes-from specification: empty container");
  }
  const words = (mode ?? "")
    .split(",")
    .filter((word) => word !== "" && word !== "z" && word !== "Z");
  if (words.some((word) => word !== "ro" && word !== "rw")) {
    throw volumeError("MOUNT_INVALID", `invalid mode for volumes-from: ${mode}`);
  }
  const record = containers.read(containers.resolve(reference));
  const isOwn = (record?.owner ?? process.getuid?.()) === (owner ?? process.getuid?.());
  if (record === undefined || !(isOwn || owner === 0)) {
    throw volumeError("MOUNT_INVALID", `no such container: ${reference}`);
  }
  const isReadOnly = words.includes("ro");
  return (record.mounts ?? []).map((mount) =>
    isReadOnly ? { ...mount, readOnly: true, copyUp: false } : mount,
  );
}

/** A volume of another container is this one's too, and does not go with it. */
async function borrow(
  mount: MountPoint,
  { volumes, container }: SettleOptions,
): Promise<MountPoint> {
  const { isAnonymous: _, ...rest } = mount;
  if (mount.name !== undefined) {
    // root's own volume of that name is another
    const whose = volumes.at(mount.source)?.owner;
    const named = { name: mount.name, ...(whose === undefined ? {} : { owner: whose }) };
    await volumes.use(container, named);
  }
  return rest;
}
