/** The parts of the daemon's answers that the client reads. */

import {
  any,
  boolean,
  type Infer,
  integer,
  list,
  map,
  object,
  optional,
  string,
} from "../docker/schema.ts";

export const createAnswer = object({ Id: string, Warnings: list(string) });

export const waitAnswer = object({
  StatusCode: integer,
  /** dvm's own */
  OOMKilled: boolean,
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
    Ports: list(
      object({ IP: string, PrivatePort: integer, PublicPort: optional(integer), Type: string }),
    ),
    SizeRw: optional(integer),
    SizeRootFs: optional(integer),
    Labels: map(string),
    State: string,
    Status: string,
    Mounts: list(object({ Type: string, Name: string, Source: string })),
    NetworkSettings: object({ Networks: map(any) }),
  }),
);
/** A row of `ps`. */
export type ContainerSummary = Infer<typeof containerSummaries>[number];

export const execAnswer = object({ Id: string });

/** What the client acts upon of a container; the rest is shown as it comes. */
export const containerDetails = object({
  Id: string,
  Name: string,
  State: object({ Running: boolean, Paused: boolean, Restarting: boolean, ExitCode: integer }),
  Config: object({ Tty: boolean, OpenStdin: boolean, AttachStdin: boolean, Labels: map(string) }),
  NetworkSettings: object({
    Ports: map(list(object({ HostIp: string, HostPort: string }))),
  }),
});

export const execState = object({ Running: boolean, ExitCode: optional(integer) });

export const topAnswer = object({ Titles: list(string), Processes: list(list(string)) });

export const pruneAnswer = object({ ContainersDeleted: list(string), SpaceReclaimed: integer });

export const versionAnswer = object({ Version: string, ApiVersion: string, KernelVersion: string });

export const changesAnswer = list(object({ Path: string, Kind: integer }));

export const idAnswer = object({ Id: string });

export const updateAnswer = object({ Warnings: list(string) });

/** A path as the archive's header tells it; the mode is Go's. */
export const pathStatAnswer = object({
  name: string,
  size: integer,
  mode: integer,
  mtime: string,
  linkTarget: string,
});
export type RemotePathStat = Infer<typeof pathStatAnswer>;

/** A line of a pull, push or load. */
export const transferLine = object({
  id: string,
  status: string,
  error: string,
  progressDetail: object({ current: integer, total: integer }),
});
export type TransferLine = Infer<typeof transferLine>;
