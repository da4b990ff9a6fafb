/** dvm system: what concerns dvm as a whole. */

import { commandGroup } from "../command-group.ts";

export const system = commandGroup({
  name: "system",
  summary: "Manage dvm",
  members: {
    df: async () => (await import("./system-df.ts")).systemDf,
    events: async () => (await import("./events.ts")).events,
    info: async () => (await import("./info.ts")).info,
    prune: async () => (await import("./system-prune.ts")).systemPrune,
  },
});
