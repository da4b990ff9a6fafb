/**
 * Finds an image without a registry: in the store, or among those that the project's set-up has made, which come into
 * the store under their name when they are first asked for.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { imageError } from "../../image/errors.ts";
import type { HeldImage, ImageStore } from "../../image/image-store.ts";
import { type LoadEvent, loadImage } from "../../image/load-image.ts";
import { assertRunnable, type Platform, parsePlatform } from "../../image/platform.ts";
import {
  type FileReference,
  familiarReference,
  type NamedReference,
  parseNamed,
} from "../../image/reference.ts";
import { openFileSource } from "../../image/source/open-file-source.ts";
import { PROJECT_ROOT } from "../artifacts.ts";

export interface LocalOptions {
  readonly store: ImageStore;
  /** `OS/ARCHITECTURE[/VARIANT]`; absent: this machine's */
  readonly platform?: string | undefined;
  readonly onEvent?: (event: LoadEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds an image by name or ID; it stays until it is disposed of.
 * @throws REFERENCE_INVALID, IMAGE_AMBIGUOUS, PLATFORM_UNAVAILABLE
 */
export async function findLocal(
  text: string,
  options: LocalOptions,
): Promise<HeldImage | undefined> {
  const platform = platformOf(options.platform);
  if (platform !== undefined) assertRunnable(platform, "the platform asked for");
  const stored = await options.store.hold(text);
  if (stored !== undefined) {
    const has = stored.config.platform;
    if (platform === undefined || platform.architecture === has.architecture) return stored;
    await stored[Symbol.asyncDispose]();
  }
  if (isId(text)) return undefined;
  const own = projectImage(parseNamed(text));
  return own === undefined ? undefined : loadFile(own, options, parseNamed(text));
}

/** @throws IMAGE_NOT_FOUND and what findLocal throws */
export async function requireLocal(text: string, options: LocalOptions): Promise<HeldImage> {
  const found = await findLocal(text, options);
  if (found === undefined) throw imageError("IMAGE_NOT_FOUND", `No such image: ${familiar(text)}`);
  return found;
}

/** Loads an image of local files; without a name it is not listed. */
export async function loadFile(
  reference: FileReference,
  { store, platform, onEvent, signal }: LocalOptions,
  tag?: NamedReference,
): Promise<HeldImage> {
  await using source = await openFileSource(reference, store.folder.path("tmp"));
  return await loadImage(source, {
    store,
    ...(tag === undefined ? {} : { tag }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The platform asked for, of which images are told by their own config. */
export function platformOf(text: string | undefined): Platform | undefined {
  return text === undefined ? undefined : parsePlatform(text);
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

/** Whether a text can be an ID only, in full. */
function isId(text: string): boolean {
  return /^(?:sha256:)?[0-9a-f]{64}$/.test(text);
}

function familiar(text: string): string {
  return isId(text) ? text : familiarReference(parseNamed(text));
}
