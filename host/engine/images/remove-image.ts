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
}

export interface RemoveOptions {
  readonly store: ImageStore;
  readonly dataRoot: string;
  readonly force: boolean;
}

/**
 * Removes what a name or an ID stands for. A name that is one of several is only taken away.
 * @throws IMAGE_NOT_FOUND, IMAGE_IN_USE for an image that a container uses, or an ID with several names, unless forced
 */
export async function removeImage(text: string, options: RemoveOptions): Promise<RemovedImages> {
  const { store, force } = options;
  const found = await store.find(text);
  if (found === undefined) throw imageError("IMAGE_NOT_FOUND", `No such image: ${text}`);
  const all = (await store.list()).filter(({ imageId }) => imageId === found.imageId);
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
  const goes = (image: NamedImage): boolean =>
    byName ? image.name === found.name : image.imageId === found.imageId;
  const gone = await store.remove(goes);
  const untagged = gone.flatMap(({ name }) =>
    name === "" ? [] : [familiarReference(parseNamed(name))],
  );
  if (!isLast) return { untagged, deleted: [], reclaimed: 0 };
  const { deleted, reclaimed } = await collect(options);
  return { untagged, deleted: [found.imageId, ...deleted], reclaimed };
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
  for (const { imageId } of await store.list()) if (await isUsed(imageId, store)) used.add(imageId);
  const gone = await store.remove(
    ({ name, imageId }) => (all || name === "") && !used.has(imageId) && accepts(imageId),
  );
  const untagged = gone.flatMap(({ name }) =>
    name === "" ? [] : [familiarReference(parseNamed(name))],
  );
  const { deleted, reclaimed } = await collect(options);
  return {
    untagged,
    deleted: [...new Set(gone.map(({ imageId }) => imageId)), ...deleted],
    reclaimed,
  };
}

/** Frees what no name, container or process needs, root disks too: they are made again when they are wanted. */
async function collect({
  store,
  dataRoot,
}: RemoveOptions): Promise<{ readonly deleted: readonly string[]; readonly reclaimed: number }> {
  const { layers, bytes } = await store.prune();
  if (layers.length > 0) await store.whenIdle(() => removeRootDisks(join(dataRoot, "root-disks")));
  return { deleted: layers, reclaimed: bytes };
}

async function removeRootDisks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

async function refuseUsed(
  found: NamedImage,
  text: string,
  { store, force }: RemoveOptions,
): Promise<void> {
  const { containers, sessions } = await store.users(found.imageId);
  if (sessions > 0) {
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

async function isUsed(imageId: Digest, store: ImageStore): Promise<boolean> {
  const { containers, sessions } = await store.users(imageId);
  return containers.length > 0 || sessions > 0;
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
