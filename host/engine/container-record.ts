/** What is kept of a container on disk: `DATA_ROOT/containers/ID/container.json`. */

import type { RunConfig } from "../image/config.ts";
import type { ContainerConfig } from "./container-config.ts";
import type { MountPoint } from "./volumes/mount-config.ts";

/** Version of the file; raised with every change that an older dvm would misread. */
export const RECORD_VERSION = 1;

export type ContainerStatus =
  | "created"
  | "running"
  | "paused"
  | "restarting"
  | "removing"
  | "exited"
  | "dead";

/** Where a container is in its life. */
export interface ContainerState {
  readonly status: ContainerStatus;
  /** RFC 3339; absent: never */
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** exit code of the process, or of the failed start */
  readonly exitCode?: number;
  /** whether the kernel killed something in it for want of memory */
  readonly oomKilled: boolean;
  /** why it could not start, or ended without an exit code of its own */
  readonly error?: string;
}

export interface ContainerRecord {
  readonly version: typeof RECORD_VERSION;
  /** 64 hex digits */
  readonly id: string;
  readonly name: string;
  /** RFC 3339 */
  readonly created: string;
  readonly config: ContainerConfig;
  /** the image that was found under the name in `config` */
  readonly image: {
    readonly name: string;
    readonly manifestDigest: string;
    readonly run: RunConfig;
  };
  readonly state: ContainerState;
  /** its volumes, and what of the host it has; absent: none */
  readonly mounts?: readonly MountPoint[];
  /** uid of its owner; absent: the one whom the engine runs as */
  readonly owner?: number;
  /** restarts by its restart policy since its last start by a user */
  readonly restartCount?: number;
  /** whether a user has asked for its last end */
  readonly stoppedByUser?: boolean;
}
