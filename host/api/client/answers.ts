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

/** A line of a pull, push or load; with `error` it is the last one, and dvm's own daemon says more of that. */
export const transferLine = object({
  id: string,
  status: string,
  /** of a load: what is to be said */
  stream: string,
  /** a result, for programs */
  aux: any,
  progressDetail: optional(object({ current: optional(integer), total: optional(integer) })),
  error: string,
  code: optional(string),
  exitCode: optional(integer),
  hint: optional(string),
});
export type TransferLine = Infer<typeof transferLine>;

/** dvm's own */
export const pulledAnswer = object({ Name: string, ID: string, Digest: string, IsNew: boolean });

export const pushedAnswer = object({ Tag: string, Digest: string, Size: integer });

const imageSummary = object({
  Id: string,
  RepoTags: list(string),
  RepoDigests: list(string),
  /** since the epoch, in `seconds`; 0 for one that does not say */
  Created: integer,
  /** of all layers, in `bytes` */
  Size: integer,
  /** of it in other images too, in `bytes` */
  SharedSize: integer,
  Containers: integer,
});
/** A row of `images`. */
export type ImageSummary = Infer<typeof imageSummary>;
export const imageSummaries = list(imageSummary);

export const historyAnswer = list(
  object({
    Id: string,
    /** since the epoch, in `seconds`; 0 for one that does not say */
    Created: integer,
    CreatedBy: string,
    Size: integer,
    Comment: string,
  }),
);
export type ImageStep = Infer<typeof historyAnswer>[number];

/** A name that was taken away, or what went with it. */
export const removedAnswer = list(object({ Untagged: string, Deleted: string }));
export type RemovedLine = Infer<typeof removedAnswer>[number];

export const imagesPruneAnswer = object({ ImagesDeleted: removedAnswer, SpaceReclaimed: integer });

export const networkSummaries = list(object({ Id: string, Name: string, Driver: string }));
export type NetworkSummary = Infer<typeof networkSummaries>[number];

export const networksPruneAnswer = object({ NetworksDeleted: list(string) });

export const volumeAnswer = object({
  Name: string,
  Driver: string,
  Mountpoint: string,
  Labels: map(string),
  UsageData: optional(object({ Size: integer, RefCount: integer })),
});
export type VolumeSummary = Infer<typeof volumeAnswer>;

export const volumesAnswer = object({ Volumes: list(volumeAnswer) });

export const volumesPruneAnswer = object({ VolumesDeleted: list(string), SpaceReclaimed: integer });

export const diskUsageAnswer = object({
  /** of all layers, each once, in `bytes` */
  LayersSize: integer,
  Images: imageSummaries,
  Containers: containerSummaries,
  Volumes: list(volumeAnswer),
  Snapshots: list(object({ Name: string, Size: integer })),
});
export type DiskUsage = Infer<typeof diskUsageAnswer>;
