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
  doctor: {
    summary: "Check what dvm needs on this machine",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  version: {
    summary: "Show the version information",
    load: async () => (await import("./commands/version.ts")).version,
  },
};
