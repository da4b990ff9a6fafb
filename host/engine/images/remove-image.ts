/** Takes images away: names first, with the last one the image, and then what nothing else needs. */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../../image/digest.ts";
import { imageError } from "../../image/errors.ts";
import type { NamedImage } from "../../image/image-index.ts";
import type { ImageStore } from "../../image/image-store.ts";
import { familiarReference, formatReference, parseNamed } from "../../image/reference.ts";

export interface RemovedImages {
  readonly untagged: readonly string[];
  /** digests of images and layers */
  readonly deleted: readonly string[];
  /** in `bytes` */
  readonly reclaimed: number;
  /** what happened to which image, by its ID */
  readonly changes: readonly { readonly id: string; readonly action: "untag" | "delete" }[];
}

export interface RemoveOptions {
  readonly store: ImageStore;
  readonly dataRoot: string;
  readonly force: boolean;
  /** which containers keep an image; absent: all */
  readonly counts?: (container: string) => boolean;
}

/**
 * Removes what a name or an ID stands for. A name that is one of several is only taken away.
 * @throws IMAGE_NOT_FOUND, IMAGE_IN_USE for an image that a container uses, or an ID with several names, unless forced
 */
export async function removeImage(text: string, options: RemoveOptions): Promise<RemovedImages> {
  const { store, force } = options;
  const found = await store.find(text);
  if (found === undefined) throw imageError("IMAGE_NOT_FOUND", `No such image: ${text}`);
  // root takes one user's names away at a time
  const all = (await store.list()).filter(
    ({ imageId, owner }) => imageId === found.imageId && owner === found.owner,
  );
  const named = all.filter(({ name }) => name !== "");
  const byName = namedBy(found, text);
  if (!byName && named.length > 1 && !force) {
    throw imageError(
      "IMAGE_IN_USE",
      `conflict: unable to delete ${short(found.imageId)} (must be forced) - image is referenced in multiple repositories`,
    );
  }
  const isLast = !byName || named.length <= 1;
  if (isLast) await refuseUsed(found, text, options);
  const goes = ({ name, imageId, owner }: NamedImage): boolean =>
    owner === found.owner && (byName ? name === found.name : imageId === found.imageId);
  const gone = await store.remove(goes);
  const untagged = untaggedNames(gone);
  const changes = gone.flatMap(untagging);
  if (!isLast) return { untagged, deleted: [], reclaimed: 0, changes };
  const { deleted, reclaimed } = await collect(options, gone);
  const id = found.imageId;
  return {
    untagged,
    deleted: [id, ...deleted],
    reclaimed,
    changes: [...changes, { id, action: "delete" }],
  };
}

/** Removes images without a name, or with `all` every image that no container uses, and all that nothing needs. */
export async function pruneImages(
  options: RemoveOptions & {
    readonly all: boolean;
    /** which images may go; absent: any */
    readonly accepts?: (imageId: string) => boolean;
  },
): Promise<RemovedImages> {
  const { store, all, accepts = () => true } = options;
  const used = new Set<Digest>();
  for (const { imageId } of await store.list())
    if (await isUsed(imageId, options)) used.add(imageId);
  const gone = await store.remove(
    ({ name, imageId }) => (all || name === "") && !used.has(imageId) && accepts(imageId),
  );
  const { deleted, reclaimed } = await collect(options, gone);
  const left = new Set((await store.list()).map(({ imageId }) => imageId));
  const ids = [...new Set(gone.map(({ imageId }) => imageId))].filter((id) => !left.has(id));
  return {
    untagged: untaggedNames(gone),
    deleted: [...ids, ...deleted],
    reclaimed,
    changes: [...gone.flatMap(untagging), ...ids.map((id) => ({ id, action: "delete" }) as const)],
  };
}

function untaggedNames(gone: readonly NamedImage[]): string[] {
  return gone.flatMap(({ name }) => (name === "" ? [] : [familiarReference(parseNamed(name))]));
}

function untagging({ name, imageId }: NamedImage): RemovedImages["changes"] {
  return name === "" ? [] : [{ id: imageId, action: "untag" }];
}

/** Frees what no name, container or process needs, root disks too: they are made again when they are wanted. */
async function collect(
  { store, dataRoot }: RemoveOptions,
  gone: readonly NamedImage[],
): Promise<{ readonly deleted: readonly string[]; readonly reclaimed: number }> {
  const { layers } = await store.prune();
  if (layers.length > 0) await store.whenIdle(() => removeRootDisks(join(dataRoot, "root-disks")));
  // what others have left is not for everybody to know
  const theirs = new Set(gone.flatMap(({ diffIds }) => diffIds));
  const told = layers.filter(({ diffId }) => !store.isForeign || theirs.has(diffId));
  return {
    deleted: told.map(({ diffId }) => diffId),
    reclaimed: told.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function removeRootDisks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

async function refuseUsed(
  found: NamedImage,
  text: string,
  { store, force, counts = () => true }: RemoveOptions,
): Promise<void> {
  const users = await store.users(found.imageId);
  const containers = users.containers.filter(counts);
  // whoever is at work with it keeps its parts, not its name
  if (users.sessions > 0 && !store.isForeign) {
    throw imageError(
      "IMAGE_IN_USE",
      `conflict: unable to delete ${text} (cannot be forced) - image is being used by a running container`,
    );
  }
  const [container] = containers;
  if (container === undefined || force) return;
  throw imageError(
    "IMAGE_IN_USE",
    `conflict: unable to remove repository reference "${text}" (must force) - container ${container.slice(0, 12)} is using its referenced image ${short(found.imageId)}`,
  );
}

async function isUsed(
  imageId: Digest,
  { store, counts = () => true }: RemoveOptions,
): Promise<boolean> {
  const { containers, sessions } = await store.users(imageId);
  return containers.some(counts) || (sessions > 0 && !store.isForeign);
}

function namedBy(found: NamedImage, text: string): boolean {
  if (found.name === "" || /^(?:sha256:)?[0-9a-f]{64}$/.test(text)) return false;
  try {
    const reference = parseNamed(text);
    return reference.digest !== undefined || formatReference(reference) === found.name;
  } catch {
    // The beginning of an ID need not be a name.
    return false;
  }
}

function short(digest: string): string {
  return digest.replace("sha256:", "").slice(0, 12);
}
