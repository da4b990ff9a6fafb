/** What the engine is put together from; tests put other parts in their place. */

import type { RunConfig } from "../image/config.ts";
import type { Extent } from "../rootfs/extent.ts";
import type { Hypervisor, MachineConfig } from "../vmm/hypervisor.ts";
import type { Artifacts } from "./artifacts.ts";
import type { MachineChoice } from "./container-config.ts";
import type { EventSink } from "./engine-event.ts";

/** An image that is ready to be a root; its parts stay in the store until it is disposed of. */
export interface PreparedImage extends AsyncDisposable {
  /** the full name that was found */
  readonly name: string;
  readonly manifestDigest: string;
  readonly run: RunConfig;
  /** the read-only root disk */
  readonly extents: readonly Extent[];
  /** Gives a disk that has all of the image in it the name `path` too; it is made when there is none. */
  linkFlatDisk(
    path: string,
    disk: { readonly bytes: number; readonly templates: string },
  ): Promise<void>;
}

export interface PrepareImageOptions {
  /** as the user wrote it */
  readonly reference: string;
  readonly platform: string | undefined;
  readonly dataRoot: string;
  /** id of the container for which it is */
  readonly container: string;
  /** whether its parts are to stay in the store for the container until `releaseImage` */
  readonly keep: boolean;
  /** uid of whose images it is one of; absent: the engine's own user's */
  readonly owner?: number | undefined;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** A hypervisor and why it is this one. */
export interface OpenedHypervisor {
  readonly hypervisor: Hypervisor;
  /** why this accelerator, in one sentence */
  readonly reason: string;
}

export interface MakeTemplateOptions {
  readonly hypervisor: Hypervisor;
  /** a machine of the shape */
  readonly config: MachineConfig;
  readonly dataRoot: string;
  readonly onEvent: EventSink;
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
  readonly makeTemplate?: (options: MakeTemplateOptions) => Promise<void>;
  readonly openHypervisor: (choice: MachineChoice, dataRoot: string) => Promise<OpenedHypervisor>;
}
