/** Makes an image of one layer from a plain tar of a file system: `dvm import`. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, fromHex } from "../digest.ts";
import { imageError } from "../errors.ts";
import type { ImageStore } from "../image-store.ts";
import { decompress } from "../layer/compression.ts";
import { DEFAULT_LAYER_LIMITS } from "../layer/limits.ts";
import { type LoadEvent, type LoadedImage, loadImage } from "../load-image.ts";
import { formatPlatform, type Platform } from "../platform.ts";
import type { NamedReference } from "../reference.ts";
import { applyChanges } from "./config-change.ts";

export interface ImportOptions {
  readonly store: ImageStore;
  readonly platform: Platform;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  /** what the history says of it */
  readonly message: string;
  readonly name: NamedReference | undefined;
  readonly onEvent?: (event: LoadEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Imports a tar stream, packed or not. It is written to a file once, since its digest must be known before the layer
 * is read.
 * @throws CHANGE_INVALID, LAYER_*, and what loadImage throws
 */
export async function importTar(
  input: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<LoadedImage> {
  const { store, platform, message, name, onEvent, signal } = options;
  const section = applyChanges({}, options.changes);
  await using session = await store.beginSession([]);
  const path = join(session.path, "input");
  const { diffId, length } = await spool(input, path, signal);
  const created = new Date().toISOString();
  const config = Buffer.from(
    JSON.stringify({
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant === "" ? {} : { variant: platform.variant }),
      created,
      config: section,
      rootfs: { type: "layers", diff_ids: [diffId] },
      history: [{ created, comment: message }],
    }),
  );
  return await loadImage(
    {
      name: `import for ${formatPlatform(platform)}`,
      resolve: () =>
        Promise.resolve({
          manifest: undefined,
          config: { digest: digestOf(config), bytes: config },
          layers: [{ key: path, digest: undefined, size: length }],
        }),
      openLayer: () => Promise.resolve({ kind: "range", path, offset: 0, length }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    {
      store,
      platform,
      tag: name ?? "none",
      ...(onEvent === undefined ? {} : { onEvent }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
}

/** Writes an unpacked tar to a file. */
export async function spool(
  input: AsyncIterable<Uint8Array>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly diffId: Digest; readonly length: number }> {
  await using file = await open(path, "wx", 0o600);
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of decompress(input)) {
    if (signal?.aborted === true)
      throw imageError("LOAD_CANCELLED", "cancelled", { cause: signal.reason });
    length += chunk.length;
    if (length > DEFAULT_LAYER_LIMITS.unpacked)
      throw imageError(
        "LAYER_LIMIT_EXCEEDED",
        `tar of more than ${DEFAULT_LAYER_LIMITS.unpacked} bytes`,
      );
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  return { diffId: fromHex(hash.digest("hex")), length };
}
