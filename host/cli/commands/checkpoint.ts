/** dvm checkpoint: Docker's checkpoints, of which one container goes on (`dvm start --checkpoint`). */

import { commandGroup } from "../command-group.ts";

export const checkpoint = commandGroup({
  name: "checkpoint",
  summary: "Manage checkpoints",
  members: {
    create: async () => (await import("./checkpoint-create.ts")).checkpointCreate,
    ls: async () => (await import("./checkpoint-ls.ts")).checkpointLs,
    rm: async () => (await import("./checkpoint-rm.ts")).checkpointRm,
  },
  aliases: { list: "ls", remove: "rm" },
});
