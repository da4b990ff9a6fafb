/**
 * The door between the command line and the engine: everything that the command line knows of the engine it
 * knows from here. Containers are a daemon's (`DaemonClient`, `RemoteEngine`); images are worked on in the process of
 * their caller, since locks keep what processes do to the store apart.
 */

import type { ImageEngine } from "../engine/images/image-engine.ts";
import { storeRoot } from "./client/store-root.ts";

export type { AttachedStreams } from "../engine/attachment.ts";
export type { ContainerConfig } from "../engine/container-config.ts";
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
  | "pullAll"
  | "push"
  | "pushAll"
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

/** Whose images or networks: those of a folder, or of a daemon. */
export interface StoreOptions {
  /** folder in place of the usual one */
  readonly dataRoot: string | undefined;
  /** daemon whose folder it is, as `unix://PATH` */
  readonly host?: string | undefined;
  /** for `DVM_HOST` */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Opens the images of the engine that the user means. */
export async function openImages(options: StoreOptions): Promise<ImageApi> {
  const [{ ImageEngine }, { enginePaths }, dataRoot] = await Promise.all([
    import("../engine/images/image-engine.ts"),
    import("../engine/paths.ts"),
    storeRoot({ environment: {}, ...options }),
  ]);
  return ImageEngine.open(enginePaths(process.env, dataRoot).dataRoot);
}
