/**
 * The door between the command line and the engine: everything that the command line knows of the engine it
 * knows from here. The engine runs in the process of its caller.
 */

import type { Engine } from "../engine/engine.ts";
import type { EventSink } from "../engine/engine-event.ts";
import type { ImageEngine } from "../engine/images/image-engine.ts";

export type { AttachedStreams } from "../engine/attachment.ts";
export type { ContainerConfig } from "../engine/container-config.ts";
export type { ContainerRecord } from "../engine/container-record.ts";
export type { EngineEvent, EventSink } from "../engine/engine-event.ts";

export type { ImageUsage } from "../engine/images/image-engine.ts";
export type { ImageView } from "../engine/images/image-view.ts";
export type { ImageProgress } from "../engine/images/transfer-progress.ts";

/** What a client may ask of the engine's images. */
export type ImageApi = Pick<
  ImageEngine,
  | "list"
  | "find"
  | "pull"
  | "push"
  | "login"
  | "logout"
  | "tag"
  | "remove"
  | "prune"
  | "save"
  | "load"
  | "import"
  | "diskUsage"
>;

/** What a client may ask of the engine. */
export type EngineApi = Pick<
  Engine,
  | "create"
  | "attach"
  | "start"
  | "wait"
  | "kill"
  | "destroy"
  | "resize"
  | "remove"
  | "list"
  | "inspect"
  | "abandon"
  | typeof Symbol.asyncDispose
>;

export interface OpenEngineOptions {
  /** folder in place of the usual one */
  readonly dataRoot: string | undefined;
  readonly onEvent: EventSink;
}

/** Opens the engine. What an earlier one that was killed left behind is cleaned up by it. */
export async function openEngine(options: OpenEngineOptions): Promise<EngineApi> {
  const [{ Engine }, { enginePaths }, { realParts }] = await Promise.all([
    import("../engine/engine.ts"),
    import("../engine/paths.ts"),
    import("../engine/real-parts.ts"),
  ]);
  return new Engine({
    paths: enginePaths(process.env, options.dataRoot),
    parts: realParts,
    onEvent: options.onEvent,
  });
}

/** Opens the engine's images. */
export async function openImages(options: {
  readonly dataRoot: string | undefined;
}): Promise<ImageApi> {
  const [{ ImageEngine }, { enginePaths }] = await Promise.all([
    import("../engine/images/image-engine.ts"),
    import("../engine/paths.ts"),
  ]);
  return ImageEngine.open(enginePaths(process.env, options.dataRoot).dataRoot);
}
