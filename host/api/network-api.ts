/** The door between the command line and the engine's networks. */

import type { NetworkStore } from "../engine/networks/network-store.ts";

export type { NetworkView } from "../engine/networks/network-store.ts";

/** What a client may ask of networks. */
export type NetworkApi = Pick<NetworkStore, "create" | "views" | "find" | "remove" | "prune">;

export async function openNetworks(options: {
  readonly dataRoot: string | undefined;
}): Promise<NetworkApi> {
  const [{ NetworkStore: Store }, { enginePaths }] = await Promise.all([
    import("../engine/networks/network-store.ts"),
    import("../engine/paths.ts"),
  ]);
  return new Store(enginePaths(process.env, options.dataRoot).dataRoot);
}
