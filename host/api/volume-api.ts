/** The door between the command line and the engine's volumes. */

import type { VolumeStore } from "../engine/volumes/volume-store.ts";
import { storeRoot } from "./client/store-root.ts";
import type { StoreOptions } from "./engine-api.ts";

export type { VolumeView } from "../engine/volumes/volume-store.ts";

/** What a client may ask of volumes. */
export type VolumeApi = Pick<VolumeStore, "create" | "list" | "find" | "remove" | "prune" | "size">;

export async function openVolumes(options: StoreOptions): Promise<VolumeApi> {
  const [{ VolumeStore: Store }, { enginePaths }, dataRoot] = await Promise.all([
    import("../engine/volumes/volume-store.ts"),
    import("../engine/paths.ts"),
    storeRoot({ environment: {}, ...options }),
  ]);
  return new Store(enginePaths(process.env, dataRoot).dataRoot);
}
