/** A folder with a layout and a store, to load images from one into the other. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ImageStore } from "../image-store.ts";
import { type LoadedImage, type LoadOptions, loadImage } from "../load-image.ts";
import { parseReference } from "../reference.ts";
import { openFileSource } from "../source/open-file-source.ts";
import { TestFolder, type TestLayer, TestLayout } from "./image-builder.ts";
import { tarStream } from "./tar-builder.ts";

/** A layer of one file. */
export const layer = (name: string, data = name): TestLayer => ({ tar: tarStream({ name, data }) });
export const one = layer("one");
export const two: TestLayer = { ...layer("two"), blob: gzipSync(layer("two").tar) };
export const three: TestLayer = { ...layer("three"), blob: zstdCompressSync(layer("three").tar) };

export class World implements Disposable {
  readonly folder = new TestFolder();

  path(name: string): string {
    return join(this.folder.path, name);
  }

  layout(name = "layout"): TestLayout {
    return new TestLayout(this.path(name));
  }

  store(): Promise<ImageStore> {
    return ImageStore.open(this.path("store"));
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

/** Loads what a reference to files names. */
export async function load(
  text: string,
  store: ImageStore,
  options: Partial<LoadOptions> = {},
): Promise<LoadedImage> {
  const reference = parseReference(text);
  assert.notEqual(reference.transport, "registry");
  if (reference.transport === "registry") throw new Error("not a file");
  await using source = await openFileSource(reference, store.folder.path("tmp"));
  return await loadImage(source, { store, ...options });
}

/** Paths of all entries of an image, in order. */
export const names = (image: LoadedImage): string[] =>
  image.layers.flatMap((item) => item.entries.map(({ path }) => path));

/** A layout of one image of one layer. */
export function simple(world: World): string {
  const layout = world.layout();
  layout.list(layout.image({ layers: [one] }), { tag: "v1" });
  return `oci:${layout.path}`;
}
