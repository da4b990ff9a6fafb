/** What is kept of a container that was saved while it ran: `DATA_ROOT/snapshots/ID/snapshot.json`. */

import type { Stdio } from "#protocol";
import type { ContainerRecord } from "../container-record.ts";
import type { ContainerNetworks } from "../networks/container-networks.ts";

/** Version of the file; raised with every change that an older dvm would misread. */
export const SNAPSHOT_VERSION = 1;

/** How far a container was that goes on elsewhere. */
export interface SavedRun {
  /** clients that the guest's agent has had */
  readonly generation: number;
  /** what the guest's agent calls the container */
  readonly inGuest: string;
  readonly stdio: Stdio;
  /** how far its output was logged, in `bytes` */
  readonly offsets: { readonly stdout: number; readonly stderr: number };
  /** where it was connected */
  readonly networks: ContainerNetworks;
  /** whether a user had paused it */
  readonly isPaused: boolean;
  /** the machine, as `Machine.saveTo` tells it */
  readonly format: string;
}

export interface SnapshotMeta {
  readonly version: typeof SNAPSHOT_VERSION;
  /** 64 hex digits */
  readonly id: string;
  readonly name: string;
  /** RFC 3339 */
  readonly created: string;
  /** uid of its owner; absent: the one whom the engine runs as */
  readonly owner?: number;
  /** id of the one container that can go on from it, as Docker's checkpoints are; absent: any new one */
  readonly checkpointOf?: string;
  /** the container as it was */
  readonly record: ContainerRecord;
  readonly run: SavedRun;
}

/** The file was written by dvm itself: it has to be whole and of this version. @returns nothing else */
export function readSnapshotMeta(text: string): SnapshotMeta | undefined {
  try {
    const meta: Partial<SnapshotMeta> | null = JSON.parse(text);
    const isWhole = meta?.id && meta.name && meta.created && meta.record && meta.run;
    return isWhole && meta.version === SNAPSHOT_VERSION ? (meta as SnapshotMeta) : undefined;
  } catch {
    return undefined;
  }
}
