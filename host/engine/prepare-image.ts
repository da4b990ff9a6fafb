/** From what a user calls an image to a root disk: found or loaded, merged, kept for the container. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type HeldImage, ImageStore } from "../image/image-store.ts";
import type { LoadEvent } from "../image/load-image.ts";
import { parseReference } from "../image/reference.ts";
import { makeRootDisk } from "../rootfs/root-disk.ts";
import { inPhase } from "./engine-event.ts";
import type { PreparedImage, PrepareImageOptions } from "./engine-parts.ts";
import { loadFile, requireLocal } from "./images/local-image.ts";

/** Steps that are done sooner than this are not worth a line, in `milliseconds`. */
const SHORT = 2000;

export async function prepareImage(options: PrepareImageOptions): Promise<PreparedImage> {
  const { container, onEvent, dataRoot } = options;
  const all = await ImageStore.open(join(dataRoot, "images"));
  const store = options.owner === undefined ? all : all.for(options.owner);
  const image = await findImage(store, options);
  try {
    if (options.keep) await store.lease(container, image);
    options.signal?.throwIfAborted();
    const disk = await inPhase(onEvent, { container, phase: "root-disk" }, () =>
      makeRootDisk({
        layers: image.layers,
        directory: join(dataRoot, "root-disks"),
        mountPoints: true,
      }),
    );
    const { name, manifestDigest, config } = image;
    return {
      name,
      manifestDigest,
      run: config.run,
      extents: disk.extents,
      linkFlatDisk: async (path, flat) => {
        const { linkFlatDisk } = await import("../rootfs/flat-disk.ts");
        await linkFlatDisk(path, { ...flat, layers: image.layers, rootDisk: disk.metadataPath });
      },
      [Symbol.asyncDispose]: () => image[Symbol.asyncDispose](),
    };
  } catch (error) {
    await image[Symbol.asyncDispose]();
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

/** Keeps for one what is kept for another. */
export async function shareImage(from: string, to: string, dataRoot: string): Promise<void> {
  const store = await ImageStore.open(join(dataRoot, "images"));
  await store.shareLease(from, to);
}

/** Local files are read as they are now. A registry is not asked: whoever wants that pulls first, as with Docker. */
async function findImage(store: ImageStore, options: PrepareImageOptions): Promise<HeldImage> {
  const { platform, signal } = options;
  const local = { store, platform, onEvent: progressOf(options), signal };
  const reference = parseReference(options.reference);
  if (reference.transport !== "registry") return loadFile(reference, local);
  return requireLocal(options.reference, local);
}

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
