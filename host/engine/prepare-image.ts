/** From what a user calls an image to a root disk: found or loaded, merged, kept for the container. */

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageError } from "../image/errors.ts";
import { ImageStore, type StoredImage } from "../image/image-store.ts";
import { type LoadEvent, loadImage } from "../image/load-image.ts";
import { parsePlatform } from "../image/platform.ts";
import {
  type FileReference,
  familiarReference,
  type NamedReference,
  parseReference,
} from "../image/reference.ts";
import { openFileSource } from "../image/source/open-file-source.ts";
import type { Session } from "../image/store-folder.ts";
import { makeRootDisk } from "../rootfs/root-disk.ts";
import { PROJECT_ROOT } from "./artifacts.ts";
import { inPhase } from "./engine-event.ts";
import type { PreparedImage, PrepareImageOptions } from "./engine-parts.ts";

/** An image in the store that nobody prunes while it is held. */
interface HeldImage {
  readonly image: StoredImage;
  readonly hold: AsyncDisposable;
}

export async function prepareImage(options: PrepareImageOptions): Promise<PreparedImage> {
  const { container, onEvent, dataRoot } = options;
  const store = await ImageStore.open(join(dataRoot, "images"));
  const { image, hold } = await findImage(store, options);
  try {
    if (options.keep) await store.lease(container, image);
    options.signal?.throwIfAborted();
    const disk = await inPhase(onEvent, { container, phase: "root-disk" }, () =>
      makeRootDisk({ layers: image.layers, directory: join(dataRoot, "root-disks") }),
    );
    const { name, manifestDigest, config } = image;
    return {
      name,
      manifestDigest,
      run: config.run,
      extents: disk.extents,
      [Symbol.asyncDispose]: () => hold[Symbol.asyncDispose](),
    };
  } catch (error) {
    await hold[Symbol.asyncDispose]();
    if (options.keep) await store.release(container);
    throw error;
  }
}

export async function releaseImage(container: string, dataRoot: string): Promise<void> {
  const folder = join(dataRoot, "images");
  if (!existsSync(folder)) return;
  const store = await ImageStore.open(folder);
  await store.release(container);
}

/** Local files are read as they are now; a name is looked up in the store, then among the project's own images. */
async function findImage(store: ImageStore, options: PrepareImageOptions): Promise<HeldImage> {
  const reference = parseReference(options.reference);
  if (reference.transport !== "registry") return loadFile(store, reference, options);
  const stored = await store.get(options.reference);
  if (stored !== undefined) return { image: stored, hold: await holdParts(store, stored) };
  const own = projectImage(reference);
  if (own !== undefined) return loadFile(store, own, options);
  throw imageError("IMAGE_NOT_FOUND", `no such image: ${familiarReference(reference)}`, {
    hint: "name a local image with oci:DIR or docker-archive:FILE; registries are not supported yet",
  });
}

async function loadFile(
  store: ImageStore,
  reference: FileReference,
  options: PrepareImageOptions,
): Promise<HeldImage> {
  const { platform, signal } = options;
  await using source = await openFileSource(reference, tmpdir());
  const loaded = await loadImage(source, {
    store,
    onEvent: progressOf(options),
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { image: loaded, hold: loaded };
}

/** An image that the project's set-up has made: `busybox` is the layout `build/images/busybox`. */
function projectImage(reference: NamedReference): FileReference | undefined {
  const { tag = "latest", digest } = reference;
  const name = familiarReference({ ...reference, tag: undefined, digest: undefined });
  if (digest !== undefined || name.includes("/")) return undefined;
  const path = join(PROJECT_ROOT, "build", "images", name);
  if (!existsSync(join(path, "index.json"))) return undefined;
  return { transport: "oci", path, image: tag === "latest" ? undefined : tag };
}

function holdParts(store: ImageStore, image: StoredImage): Promise<Session> {
  const { config, imageId, manifestDigest } = image;
  return store.beginSession([...config.diffIds, imageId, manifestDigest]);
}

/** Steps that are done sooner than this are not worth a line, in `milliseconds`. */
const SHORT = 2000;

/** An image of which nothing is new says nothing. */
function progressOf(options: PrepareImageOptions): (event: LoadEvent) => void {
  const { container, onEvent, reference } = options;
  const layers = new Map<string, { done: number; total: number }>();
  let count = 0;
  let present = 0;
  const started = performance.now();
  return (event) => {
    if (event.kind === "image") count = event.layers;
    else if (event.kind === "layer-present") present++;
    else if (event.kind === "layer-progress") {
      layers.set(event.diffId, { done: event.done, total: event.total });
      const all = [...layers.values()];
      const share = sum(all, "done") / Math.max(sum(all, "total"), 1);
      const percent = Math.floor(share * 100);
      const text = `${reference}: unpacking ${count - present} of ${count} layers, ${percent} %`;
      onEvent({ type: "progress", container, passing: true, text });
    } else if (performance.now() - started > SHORT) {
      const digits = event.diffId.slice("sha256:".length).slice(0, 12);
      const mebibytes = (event.unpacked / 2 ** 20).toFixed(1);
      const text = `${reference}: layer ${digits} unpacked, ${mebibytes} MiB`;
      onEvent({ type: "progress", container, passing: false, text });
    }
  };
}

function sum(all: readonly { done: number; total: number }[], key: "done" | "total"): number {
  return all.reduce((total, each) => total + each[key], 0);
}
