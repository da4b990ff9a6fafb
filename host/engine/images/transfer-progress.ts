/** Steps of a pull, push or load in Docker's words. */

import type { LoadEvent } from "../../image/load-image.ts";
import type { PushEvent } from "../../image/registry/push-image.ts";

/** A step; with `current` and `total` it is one that passes. */
export interface ImageProgress {
  /** first digits of a layer's digest; absent: the whole image */
  readonly id?: string;
  readonly status: string;
  /** in `bytes` */
  readonly current?: number;
  readonly total?: number;
}

export function pullProgress(event: LoadEvent): readonly ImageProgress[] {
  if (event.kind === "image") return [];
  const id = shortDigest(event.diffId);
  if (event.kind === "layer-present") return [{ id, status: "Already exists" }];
  if (event.kind === "layer-done") return [{ id, status: "Pull complete" }];
  const { done, total } = event;
  return [{ id, status: "Downloading", current: done, total }];
}

export function pushProgress({ diffId, kind, done, total }: PushEvent): ImageProgress {
  const id = shortDigest(diffId);
  if (kind === "progress")
    return {
      id,
      status: "Pushing",
      ...(done === undefined ? {} : { current: done }),
      ...(total === undefined ? {} : { total }),
    };
  const words = {
    preparing: "Preparing",
    exists: "Layer already exists",
    mounted: "Mounted from another repository",
    pushed: "Pushed",
  } as const;
  return { id, status: words[kind] };
}

export function shortDigest(digest: string): string {
  return digest.replace("sha256:", "").slice(0, 12);
}
