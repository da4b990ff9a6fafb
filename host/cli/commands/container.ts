/** dvm container: the commands that manage containers, by their long names. */

import { commandGroup } from "../command-group.ts";

export const container = commandGroup({
  name: "container",
  summary: "Manage containers",
  engineFailures: ["run", "exec"],
  members: {
    attach: async () => (await import("./attach.ts")).attach,
    commit: async () => (await import("./commit.ts")).commit,
    cp: async () => (await import("./cp.ts")).cp,
    create: async () => (await import("./create.ts")).create,
    diff: async () => (await import("./diff.ts")).diff,
    exec: async () => (await import("./exec.ts")).exec,
    export: async () => (await import("./export.ts")).exportCommand,
    inspect: async () => (await import("./inspect.ts")).containerInspect,
    kill: async () => (await import("./kill.ts")).kill,
    logs: async () => (await import("./logs.ts")).logs,
    ls: async () => (await import("./ps.ts")).ps,
    pause: async () => (await import("./pause.ts")).pause,
    port: async () => (await import("./port.ts")).port,
    prune: async () => (await import("./container-prune.ts")).containerPrune,
    rename: async () => (await import("./rename.ts")).rename,
    restart: async () => (await import("./restart.ts")).restart,
    rm: async () => (await import("./rm.ts")).rm,
    run: async () => (await import("./run.ts")).run,
    start: async () => (await import("./start.ts")).start,
    stats: async () => (await import("./stats.ts")).stats,
    stop: async () => (await import("./stop.ts")).stop,
    top: async () => (await import("./top.ts")).top,
    unpause: async () => (await import("./unpause.ts")).unpause,
    update: async () => (await import("./update.ts")).update,
    wait: async () => (await import("./wait.ts")).wait,
  },
  aliases: { ps: "ls", list: "ls", remove: "rm" },
});
