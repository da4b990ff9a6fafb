/** What a daemon's containers share. */

import type { GuestDeadlines } from "../boot-machine.ts";
import type { ContainerRecord } from "../container-record.ts";
import type { ContainerStore } from "../container-store.ts";
import type { EventSink } from "../engine-event.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { EnginePaths } from "../paths.ts";
import type { MachinePool } from "../pool/machine-pool.ts";
import type { StoredVolume } from "../volumes/volume-store.ts";
import type { BootGate } from "./boot-gate.ts";
import type { PodMembers } from "./pods.ts";

export interface ManagedParts {
  readonly paths: EnginePaths;
  readonly parts: EngineParts;
  readonly store: ContainerStore;
  readonly deadlines: GuestDeadlines;
  readonly gate: BootGate;
  /** machines that wait for containers */
  readonly pool: MachinePool;
  /** the daemon's containers, for those that share a machine */
  readonly members: PodMembers;
  readonly onEvent: EventSink;
  /** Docker's word for what happened to the container, and more about it */
  readonly onAction: (
    record: ContainerRecord,
    action: string,
    attributes?: Readonly<Record<string, string>>,
  ) => void;
  /** a volume went with the container that alone had it */
  readonly onVolumeGone: (volume: StoredVolume) => void;
  /** the container is no more */
  readonly onRemoved: (id: string) => void;
}
