/** An image of the store as it is told: all of its names, its sizes and its history together. */

import type { HistoryEntry, ImageConfig, RunConfig } from "../../image/config.ts";
import type { NamedImage } from "../../image/image-index.ts";
import type { StoredImage } from "../../image/image-store.ts";

export interface ImageView {
  /** digest of its config */
  readonly id: string;
  /** full names, such as `docker.io/library/busybox:latest` */
  readonly names: readonly string[];
  /** full names with digests, such as `docker.io/library/busybox@sha256:…` */
  readonly digests: readonly string[];
  /** RFC 3339 */
  readonly created?: string;
  readonly author?: string;
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
  /** of all layers, in `bytes` */
  readonly size: number;
  readonly diffIds: readonly string[];
  readonly run: RunConfig;
  /** oldest first */
  readonly history: readonly (HistoryEntry & { readonly size: number })[];
  /** RFC 3339; when it last got a name */
  readonly tagged?: string;
}

/** @param entries the list's entries of this image */
export function imageView(image: StoredImage, entries: readonly NamedImage[]): ImageView {
  const { config } = image;
  const { os, architecture, variant } = config.platform;
  const { created, author } = config;
  // root sees the same name of several users
  const names = [...new Set(entries.map(({ name }) => name))].filter((name) => name !== "");
  const tagged = entries
    .map(({ added }) => added)
    .toSorted()
    .at(-1);
  return {
    id: image.imageId,
    names: names.filter((name) => !name.includes("@")),
    digests: digestsOf(entries),
    ...(created === undefined ? {} : { created }),
    ...(author === undefined ? {} : { author }),
    platform: { os, architecture, ...(variant === "" ? {} : { variant }) },
    size: image.layers.reduce((sum, { dataLength }) => sum + dataLength, 0),
    diffIds: config.diffIds,
    run: config.run,
    history: historyOf(config, image),
    ...(tagged === undefined ? {} : { tagged }),
  };
}

function digestsOf(entries: readonly NamedImage[]): readonly string[] {
  const digests = entries.flatMap(({ name, repositoryDigest }) =>
    repositoryDigest === undefined || name === ""
      ? []
      : [`${repositoryOf(name)}@${repositoryDigest}`],
  );
  return [...new Set(digests)];
}

/** `docker.io/library/busybox` for `docker.io/library/busybox:latest`; a port's colon comes before the last slash. */
export function repositoryOf(name: string): string {
  const bare = name.split("@", 1)[0] ?? "";
  const colon = bare.lastIndexOf(":");
  return colon > bare.lastIndexOf("/") ? bare.slice(0, colon) : bare;
}

/** Steps that made a layer take the layers in order; layers that no step tells of get steps of their own. */
function historyOf(config: ImageConfig, image: StoredImage): ImageView["history"] {
  const sizes = image.layers.map(({ dataLength }) => dataLength);
  const steps = config.history.map((step) => ({
    ...step,
    size: step.emptyLayer ? 0 : (sizes.shift() ?? 0),
  }));
  const unknown = {
    created: undefined,
    createdBy: undefined,
    author: undefined,
    comment: undefined,
  };
  return [...steps, ...sizes.map((size) => ({ ...unknown, emptyLayer: false, size }))];
}
