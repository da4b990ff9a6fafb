/** What the API server asks of an engine about snapshots, and of an engine that is a `Daemon`. */

import type { Daemon } from "../../engine/daemon/daemon.ts";
import type { Caller } from "../../engine/daemon/model.ts";
import type { SnapshotMeta } from "../../engine/snapshots/snapshot-meta.ts";
import type { SnapshotView } from "../../engine/snapshots/snapshots.ts";

export interface Revived {
  readonly id: string;
  readonly name: string;
}

/** Containers are named by their full ids. */
export interface SnapshotCalls {
  /** whether Docker's checkpoints are served, as by a dockerd in experimental mode */
  readonly hasCheckpoints: boolean;
  list(caller: Caller): readonly SnapshotView[];
  /** @throws DvmError `SNAPSHOT_EXISTS`, `CONFIG_INVALID`, `WRONG_STATE`, `NOT_SUPPORTED` */
  create(container: string, caller: Caller, name: string | undefined): Promise<SnapshotMeta>;
  /** @returns its id @throws DvmError `NO_SUCH_SNAPSHOT` */
  remove(reference: string, caller: Caller): Promise<string>;
  /** @throws DvmError `NO_SUCH_SNAPSHOT`, `NAME_TAKEN` */
  restore(reference: string, caller: Caller, name: string | undefined): Promise<Revived>;
  /** @throws DvmError `WRONG_STATE`, `NOT_SUPPORTED`, `NAME_TAKEN` */
  fork(container: string, caller: Caller, name: string | undefined): Promise<Revived>;
  checkpoints(container: string): readonly SnapshotMeta[];
  createCheckpoint(container: string, name: string, exit: boolean): Promise<void>;
  removeCheckpoint(container: string, name: string): Promise<void>;
  startFrom(container: string, checkpoint: string): Promise<void>;
}

const SIGKILL = 9;

export function servedSnapshots(daemon: Daemon, hasCheckpoints: boolean): SnapshotCalls {
  const { snapshots } = daemon;
  return {
    hasCheckpoints,
    list: (caller) => snapshots.list(caller),
    create: (container, caller, name) => snapshots.create(daemon.get(container), caller, { name }),
    remove: (reference, caller) => snapshots.remove(reference, caller),
    restore: async (reference, caller, name) =>
      revived(await snapshots.restore(reference, caller, { name })),
    fork: async (container, caller, name) =>
      revived(await snapshots.fork(daemon.get(container), caller, { name })),
    checkpoints: (container) => snapshots.checkpoints(container),
    createCheckpoint: async (container, name, exit) => {
      await snapshots.createCheckpoint(daemon.get(container), name);
      if (exit) await daemon.get(container).kill(SIGKILL);
    },
    removeCheckpoint: (container, name) => snapshots.removeCheckpoint(container, name),
    startFrom: (container, name) => snapshots.startFrom(daemon.get(container), name),
  };
}

function revived({
  id,
  record,
}: {
  readonly id: string;
  readonly record: { readonly name: string };
}) {
  return { id, name: record.name };
}
