/** dvm network: the networks that containers can be in. */

import { commandGroup } from "../command-group.ts";

export const network = commandGroup({
  name: "network",
  summary: "Manage networks",
  members: {
    connect: async () => (await import("./network-connect.ts")).networkConnect,
    create: async () => (await import("./network-create.ts")).networkCreate,
    disconnect: async () => (await import("./network-connect.ts")).networkDisconnect,
    inspect: async () => (await import("./inspect.ts")).networkInspect,
    ls: async () => (await import("./network-ls.ts")).networkLs,
    prune: async () => (await import("./network-prune.ts")).networkPrune,
    rm: async () => (await import("./network-rm.ts")).networkRm,
  },
});
