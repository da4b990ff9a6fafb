/** Makes an image of another one and a further layer: `dvm commit`. */
import { join } from "node:path";
import { type Digest, digestOf, parseDigest } from "../digest.ts";
import type { ImageStore } from "../image-store.ts";
import { asObject, type JsonObject, optionalArray, parseJsonObject } from "../json.ts";
import { type LoadedImage, loadImage } from "../load-image.ts";
import { normalize } from "../platform.ts";
import type { NamedReference } from "../reference.ts";
import { applyChanges, type ConfigSection, withVariables } from "./config-change.ts";
import { spool } from "./import-tar.ts";

/** A tar of nothing: two blocks of zeros. */
const NO_CHANGES = digestOf(Buffer.alloc(1024));

export interface CommitLayerOptions {
  readonly store: ImageStore;
  /** manifest of the image below, whose parts are in the store */
  readonly base: Digest;
  /** what the container changes of the image's `config` section */
  readonly section: ConfigSection;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  readonly author: string;
  readonly message: string;
  readonly name: NamedReference | undefined;
}

/** @throws CHANGE_INVALID, LAYER_*, STORE_CORRUPT, and what loadImage throws */
export async function commitLayer(
  input: AsyncIterable<Uint8Array>,
  options: CommitLayerOptions,
): Promise<LoadedImage> {
  const { store, author, message, name } = options;
  const base = await baseConfig(store, options.base);
  const rootfs = asObject(base.rootfs, "config: rootfs");
  const below = (optionalArray(rootfs, "diff_ids", { where: "config", max: 1024 }) ?? []).map(
    (text, n) => parseDigest(String(text), `config: diff_ids[${n}]`),
  );
  await using session = await store.beginSession(below);
  const path = join(session.path, "input");
  const { diffId, length } = await spool(input, path, undefined);
  const created = new Date().toISOString();
  const before = (base.config ?? {}) as ConfigSection;
  const history = optionalArray(base, "history", { where: "config", max: 16_384 }) ?? [];
  const isEmpty = diffId === NO_CHANGES;
  const section = withContainer(before, options.section);
  const step = {
    created,
    // What ran, as Docker has it (moby image/image.go, NewChildImage).
    created_by: (section.Cmd ?? []).join(" "),
    comment: message,
    ...(author ? { author } : {}),
    ...(isEmpty ? { empty_layer: true } : {}),
  };
  const config = Buffer.from(
    JSON.stringify({
      ...base,
      created,
      ...(author ? { author } : {}),
      config: applyChanges(section, options.changes),
      rootfs: { type: "layers", diff_ids: isEmpty ? below : [...below, diffId] },
      history: [...history, step],
    }),
  );
  const platform = normalize({
    os: String(base.os ?? ""),
    architecture: String(base.architecture ?? ""),
    variant: String(base.variant ?? ""),
  });
  const present = below.map((digest) => ({ key: digest, digest: undefined, size: 0 }));
  return await loadImage(
    {
      name: "commit",
      resolve: () =>
        Promise.resolve({
          manifest: undefined,
          config: { digest: digestOf(config), bytes: config },
          layers: isEmpty ? present : [...present, { key: path, digest: undefined, size: length }],
        }),
      openLayer: () => Promise.resolve({ kind: "range", path, offset: 0, length }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    { store, platform, tag: name ?? "none", known: below },
  );
}

/** What the container was made with: the image's settings and, where it has some, its own. */
function withContainer(image: ConfigSection, own: ConfigSection): ConfigSection {
  const { Env, Labels } = image;
  // A command belongs to the entrypoint that it was written for.
  const command = own.Entrypoint !== undefined && own.Cmd === undefined ? { Cmd: [] } : {};
  return {
    ...image,
    ...own,
    ...command,
    ...(Env === undefined ? {} : { Env: withVariables(Env, own.Env ?? []) }),
    ...(Labels === undefined ? {} : { Labels: { ...Labels, ...own.Labels } }),
  };
}

async function baseConfig(store: ImageStore, manifestDigest: Digest): Promise<JsonObject> {
  const manifest = parseJsonObject(await store.blobs.get(manifestDigest), "manifest");
  const { digest } = asObject(manifest.config, "manifest: config");
  return parseJsonObject(await store.blobs.get(parseDigest(String(digest), "manifest")), "config");
}
