/** The parts of the daemon's answers that the client reads. */

import { any, type Infer, integer, list, map, object, optional, string } from "../docker/schema.ts";

export const createAnswer = object({ Id: string, Warnings: list(string) });

export const waitAnswer = object({
  StatusCode: integer,
  Error: optional(object({ Message: string })),
});

export const containerSummaries = list(
  object({
    Id: string,
    Names: list(string),
    Image: string,
    ImageID: string,
    Command: string,
    /** since the epoch, in `seconds` */
    Created: integer,
    Ports: list(any),
    SizeRw: optional(integer),
    SizeRootFs: optional(integer),
    Labels: map(string),
    State: string,
    Status: string,
    Mounts: list(any),
  }),
);
/** A row of `ps`. */
export type ContainerSummary = Infer<typeof containerSummaries>[number];

export const execAnswer = object({ Id: string });

export const execState = object({ Running: { kind: "boolean" }, ExitCode: optional(integer) });

export const topAnswer = object({ Titles: list(string), Processes: list(list(string)) });

export const pruneAnswer = object({ ContainersDeleted: list(string), SpaceReclaimed: integer });

export const versionAnswer = object({ Version: string, ApiVersion: string, KernelVersion: string });
