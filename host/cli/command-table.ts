/** The commands by name: what the help says of each, and where each is. */

import type { Command } from "./command.ts";

interface CommandRow {
  readonly summary: string;
  /** whether the errors of a failed engine end with Docker's exit code 125 and up; else with 1 */
  readonly runsContainer?: boolean;
  readonly load: () => Promise<Command>;
}

/** Loaded when called, so that a command costs the start-up time of its own code alone. */
export const commandTable: Readonly<Record<string, CommandRow>> = {
  run: {
    summary: "Create and run a new container from an image",
    runsContainer: true,
    load: async () => (await import("./commands/run.ts")).run,
  },
  ps: {
    summary: "List containers",
    load: async () => (await import("./commands/ps.ts")).ps,
  },
  rm: {
    summary: "Remove one or more containers",
    load: async () => (await import("./commands/rm.ts")).rm,
  },
  pull: {
    summary: "Download an image from a registry",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  push: {
    summary: "Upload an image to a registry",
    load: async () => (await import("./commands/push.ts")).push,
  },
  images: {
    summary: "List images",
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
    load: async () => (await import("./commands/login.ts")).login,
  },
  logout: {
    summary: "Log out from a registry",
    load: async () => (await import("./commands/logout.ts")).logout,
  },
  image: {
    summary: "Manage images",
    load: async () => (await import("./commands/image.ts")).image,
  },
  network: {
    summary: "Manage networks",
    load: async () => (await import("./commands/network.ts")).network,
  },
  system: {
    summary: "Manage dvm",
    load: async () => (await import("./commands/system.ts")).system,
  },
  doctor: {
    summary: "Check what dvm needs on this machine",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  version: {
    summary: "Show the version information",
    load: async () => (await import("./commands/version.ts")).version,
  },
};
