/** Loads all images of an archive or a layout: what `dvm load` reads, whatever its form. */
import { createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { imageError } from "../errors.ts";
import type { ImageStore } from "../image-store.ts";
import { type LoadEvent, type LoadedImage, loadImage } from "../load-image.ts";
import type { Platform } from "../platform.ts";
import { type NamedReference, parseNamed } from "../reference.ts";
import { openArchiveTree } from "../source/archive-tree.ts";
import { listDockerArchive, openDockerArchive } from "../source/docker-archive.ts";
import { type FileTree, openFolderTree } from "../source/file-tree.ts";
import type { ImageSource } from "../source/image-source.ts";
import { listOciLayout, openOciLayout } from "../source/oci-layout.ts";

export interface LoadArchiveOptions {
  readonly store: ImageStore;
  readonly platform?: Platform | undefined;
  readonly onEvent?: (event: LoadEvent) => void;
  /** told of each image that is listed */
  readonly onImage: (image: LoadedImage, name: NamedReference | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

/** An image of an archive, and the names it is to get. */
export interface ListedImage {
  /** what the source finds it by */
  readonly key: string;
  readonly names: readonly string[];
}

/**
 * Loads the images of a file, a folder or a stream; a stream is written to a file first, since what describes an
 * archive may stand at its end.
 * @throws SOURCE_UNREADABLE, and what loadImage throws
 */
export async function loadArchive(
  input: string | Readable,
  options: LoadArchiveOptions,
): Promise<void> {
  await using session = await options.store.beginSession([]);
  const path = typeof input === "string" ? input : join(session.path, "input");
  if (typeof input !== "string")
    await pipeline(input, createWriteStream(path, { flags: "wx", mode: 0o600 }), {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  await using tree = await openTree(
    path,
    session.path,
    typeof input === "string" ? path : "the input",
  );
  const isDocker = (await tree.locate("manifest.json")) !== undefined;
  const images = isDocker ? await listDockerArchive(tree) : await listOciLayout(tree);
  for (const image of images) await loadOne(image, { tree, isDocker, ...options });
}

async function openTree(path: string, spoolFolder: string, name: string): Promise<FileTree> {
  const found = await stat(path).catch((cause: unknown) => {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${name}`, { cause });
  });
  const tree = found.isDirectory()
    ? await openFolderTree(path)
    : await openArchiveTree(path, spoolFolder);
  return { ...tree, name };
}

async function loadOne(
  { key, names }: ListedImage,
  options: LoadArchiveOptions & { readonly tree: FileTree; readonly isDocker: boolean },
): Promise<void> {
  const { store, platform, onEvent, signal } = options;
  // The tree serves all images; a source would end it with itself.
  const tree: FileTree = { ...options.tree, [Symbol.asyncDispose]: () => Promise.resolve() };
  const source: ImageSource = options.isDocker
    ? openDockerArchive(tree, key)
    : openOciLayout(tree, key);
  await using image = await loadImage(source, {
    store,
    tag: "none",
    ...(platform === undefined ? {} : { platform }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(signal === undefined ? {} : { signal }),
  });
  const references = names.flatMap((name) => usableName(name));
  for (const reference of references) {
    await store.tag(image, reference);
    options.onImage(image, reference);
  }
  if (references.length === 0) options.onImage(image, undefined);
}

/** A bare tag, as layouts have it, is no name for a store. */
function usableName(name: string): NamedReference[] {
  if (!/[:/]/.test(name)) return [];
  try {
    return [parseNamed(name)];
  } catch {
    // What is no name in Docker's grammar was none where it came from either.
    return [];
  }
}
