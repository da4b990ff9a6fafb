/** What the engine is put together from; tests put other parts in their place. */

import type { RunConfig } from "../image/config.ts";
import type { Extent } from "../rootfs/extent.ts";
import type { Hypervisor, MachineConfig } from "../vmm/hypervisor.ts";
import type { Artifacts } from "./artifacts.ts";
import type { ContainerConfig, MachineChoice } from "./container-config.ts";
import type { EventSink } from "./engine-event.ts";

/** An image that is ready to be a root; its parts stay in the store until it is disposed of. */
export interface PreparedImage extends AsyncDisposable {
  /** the full name that was found */
  readonly name: string;
  readonly manifestDigest: string;
  readonly run: RunConfig;
  /** the read-only root disk */
  readonly extents: readonly Extent[];
}

export interface PrepareImageOptions {
  /** as the user wrote it */
  readonly reference: string;
  readonly platform: string | undefined;
  /** when its registry is asked; absent: when it is not here */
  readonly pull?: ContainerConfig["pull"] | undefined;
  readonly dataRoot: string;
  /** id of the container for which it is */
  readonly container: string;
  /** whether its parts are to stay in the store for the container until `releaseImage` */
  readonly keep: boolean;
  /** whether it is for another user than the engine's, whose credentials are not theirs to use */
  readonly isForeign?: boolean;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** A hypervisor and why it is this one. */
export interface OpenedHypervisor {
  readonly hypervisor: Hypervisor;
  /** why this accelerator, in one sentence */
  readonly reason: string;
}

export interface EngineParts {
  readonly findArtifacts: () => Artifacts;
  readonly prepareImage: (options: PrepareImageOptions) => Promise<PreparedImage>;
  /** Lets go of what an image was kept for; nothing happens when there is nothing. */
  readonly releaseImage: (container: string, dataRoot: string) => Promise<void>;
  readonly makeWritableDisk: (disk: {
    readonly path: string;
    readonly bytes: number;
    /** whether it must survive a machine that is killed */
    readonly journal: boolean;
    /** folder that keeps what formatting comes to */
    readonly templates: string;
  }) => Promise<void>;
  /** Has a template made when there is time for it; absent: none is made by itself. */
  readonly makeTemplate?: (
    hypervisor: Hypervisor,
    config: MachineConfig,
    onEvent: EventSink,
  ) => void;
  readonly openHypervisor: (choice: MachineChoice, dataRoot: string) => Promise<OpenedHypervisor>;
}
