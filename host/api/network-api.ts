/** The door between the command line and the engine's networks. */

import type { NetworkStore } from "../engine/networks/network-store.ts";
import { storeRoot } from "./client/store-root.ts";
import type { StoreOptions } from "./engine-api.ts";

export type { NetworkView } from "../engine/networks/network-store.ts";

/** What a client may ask of networks. */
export type NetworkApi = Pick<NetworkStore, "create" | "views" | "find" | "remove" | "prune">;

export async function openNetworks(options: StoreOptions): Promise<NetworkApi> {
  const [{ NetworkStore: Store }, { enginePaths }, dataRoot] = await Promise.all([
    import("../engine/networks/network-store.ts"),
    import("../engine/paths.ts"),
    storeRoot({ environment: {}, ...options }),
  ]);
  return new Store(enginePaths(process.env, dataRoot).dataRoot);
}
