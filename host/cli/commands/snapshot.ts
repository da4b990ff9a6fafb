/** dvm snapshot: containers that were saved while they ran. */

import { commandGroup } from "../command-group.ts";

export const snapshot = commandGroup({
  name: "snapshot",
  summary: "Manage snapshots of running containers",
  members: {
    create: async () => (await import("./snapshot-create.ts")).snapshotCreate,
    ls: async () => (await import("./snapshot-ls.ts")).snapshotLs,
    restore: async () => (await import("./snapshot-restore.ts")).snapshotRestore,
    rm: async () => (await import("./snapshot-rm.ts")).snapshotRm,
  },
  aliases: { list: "ls", remove: "rm" },
});
