/** The commands by name: what the help says of each, and where each is. */

import type { Command } from "./command.ts";

export interface CommandRow {
  readonly summary: string;
  /** whether the errors of a failed engine end with Docker's exit code 125 and up; else with 1 */
  readonly runsContainer?: boolean;
  /** whether the help shows it with the most used ones */
  readonly common?: boolean;
  /** whether it is a family of commands */
  readonly group?: boolean;
  readonly load: () => Promise<Command>;
}

/** Loaded when called, so that a command costs the start-up time of its own code alone. */
export const commandTable: Readonly<Record<string, CommandRow>> = {
  run: {
    summary: "Create and run a new container from an image",
    common: true,
    runsContainer: true,
    load: async () => (await import("./commands/run.ts")).run,
  },
  exec: {
    summary: "Execute a command in a running container",
    common: true,
    runsContainer: true,
    load: async () => (await import("./commands/exec.ts")).exec,
  },
  ps: {
    summary: "List containers",
    common: true,
    load: async () => (await import("./commands/ps.ts")).ps,
  },
  pull: {
    summary: "Download an image from a registry",
    common: true,
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  push: {
    summary: "Upload an image to a registry",
    common: true,
    load: async () => (await import("./commands/push.ts")).push,
  },
  images: {
    summary: "List images",
    common: true,
    load: async () => (await import("./commands/images.ts")).images,
  },
  rmi: {
    summary: "Remove one or more images",
    load: async () => (await import("./commands/rmi.ts")).rmi,
  },
  tag: {
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: async () => (await import("./commands/tag.ts")).tag,
  },
  history: {
    summary: "Show the history of an image",
    load: async () => (await import("./commands/history.ts")).history,
  },
  save: {
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: async () => (await import("./commands/save.ts")).save,
  },
  load: {
    summary: "Load an image from a tar archive or STDIN",
    load: async () => (await import("./commands/load.ts")).load,
  },
  import: {
    summary: "Import the contents from a tarball to create a filesystem image",
    load: async () => (await import("./commands/import.ts")).importCommand,
  },
  login: {
    summary: "Authenticate to a registry",
    common: true,
    load: async () => (await import("./commands/login.ts")).login,
  },
  logout: {
    summary: "Log out from a registry",
    common: true,
    load: async () => (await import("./commands/logout.ts")).logout,
  },
  image: {
    summary: "Manage images",
    group: true,
    load: async () => (await import("./commands/image.ts")).image,
  },
  checkpoint: {
    summary: "Manage checkpoints",
    group: true,
    load: async () => (await import("./commands/checkpoint.ts")).checkpoint,
  },
  network: {
    summary: "Manage networks",
    group: true,
    load: async () => (await import("./commands/network.ts")).network,
  },
  snapshot: {
    summary: "Manage snapshots of running containers",
    group: true,
    load: async () => (await import("./commands/snapshot.ts")).snapshot,
  },
  template: {
    summary: "Manage the booted machines that containers' machines are cloned from",
    group: true,
    load: async () => (await import("./commands/template.ts")).template,
  },
  volume: {
    summary: "Manage volumes",
    group: true,
    load: async () => (await import("./commands/volume.ts")).volume,
  },
  system: {
    summary: "Manage dvm",
    group: true,
    load: async () => (await import("./commands/system.ts")).system,
  },
  bench: {
    summary: "Measure what a VM costs here, beside plain namespaces",
    load: async () => (await import("./commands/bench.ts")).bench,
  },
  doctor: {
    summary: "Check what dvm needs on this machine",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  version: {
    summary: "Show the version information",
    common: true,
    load: async () => (await import("./commands/version.ts")).version,
  },
  attach: {
    summary: "Attach local standard input, output, and error streams to a running container",
    load: async () => (await import("./commands/attach.ts")).attach,
  },
  commit: {
    summary: "Create a new image from a container's changes",
    load: async () => (await import("./commands/commit.ts")).commit,
  },
  completion: {
    summary: "Print the completion script of a shell",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  cp: {
    summary: "Copy files/folders between a container and the local filesystem",
    load: async () => (await import("./commands/cp.ts")).cp,
  },
  create: {
    summary: "Create a new container",
    load: async () => (await import("./commands/create.ts")).create,
  },
  diff: {
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: async () => (await import("./commands/diff.ts")).diff,
  },
  events: {
    summary: "Get real time events from the server",
    load: async () => (await import("./commands/events.ts")).events,
  },
  export: {
    summary: "Export a container's filesystem as a tar archive",
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  fork: {
    summary: "Create a second container that goes on where a running one is",
    load: async () => (await import("./commands/fork.ts")).fork,
  },
  info: {
    summary: "Display system-wide information",
    common: true,
    load: async () => (await import("./commands/info.ts")).info,
  },
  inspect: {
    summary: "Return low-level information on containers, images, networks and volumes",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  kill: {
    summary: "Kill one or more running containers",
    load: async () => (await import("./commands/kill.ts")).kill,
  },
  logs: {
    summary: "Fetch the logs of a container",
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  pause: {
    summary: "Pause all processes within one or more containers",
    load: async () => (await import("./commands/pause.ts")).pause,
  },
  port: {
    summary: "List port mappings or a specific mapping for the container",
    load: async () => (await import("./commands/port.ts")).port,
  },
  rename: {
    summary: "Rename a container",
    load: async () => (await import("./commands/rename.ts")).rename,
  },
  restart: {
    summary: "Restart one or more containers",
    load: async () => (await import("./commands/restart.ts")).restart,
  },
  rm: {
    summary: "Remove one or more containers",
    load: async () => (await import("./commands/rm.ts")).rm,
  },
  start: {
    summary: "Start one or more stopped containers",
    load: async () => (await import("./commands/start.ts")).start,
  },
  stats: {
    summary: "Display a live stream of container(s) resource usage statistics",
    load: async () => (await import("./commands/stats.ts")).stats,
  },
  stop: {
    summary: "Stop one or more running containers",
    load: async () => (await import("./commands/stop.ts")).stop,
  },
  top: {
    summary: "Display the running processes of a container",
    load: async () => (await import("./commands/top.ts")).top,
  },
  unpause: {
    summary: "Unpause all processes within one or more containers",
    load: async () => (await import("./commands/unpause.ts")).unpause,
  },
  update: {
    summary: "Update configuration of one or more containers",
    load: async () => (await import("./commands/update.ts")).update,
  },
  wait: {
    summary: "Block until one or more containers stop, then print their exit codes",
    load: async () => (await import("./commands/wait.ts")).wait,
  },
  container: {
    summary: "Manage containers",
    group: true,
    load: async () => (await import("./commands/container.ts")).container,
  },
};
