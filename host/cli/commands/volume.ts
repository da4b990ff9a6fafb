/** dvm volume: what outlasts the containers that have it. */

import { commandGroup } from "../command-group.ts";

export const volume = commandGroup({
  name: "volume",
  summary: "Manage volumes",
  members: {
    create: async () => (await import("./volume-create.ts")).volumeCreate,
    inspect: async () => (await import("./inspect.ts")).volumeInspect,
    ls: async () => (await import("./volume-ls.ts")).volumeLs,
    prune: async () => (await import("./volume-prune.ts")).volumePrune,
    rm: async () => (await import("./volume-rm.ts")).volumeRm,
  },
  aliases: { list: "ls", remove: "rm" },
});
