/** The creation of a container, step by step; steps that do not need each other run side by side. */

import { join } from "node:path";
import type { ContainerConfig } from "./container-config.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import type { EngineParts, PreparedImage } from "./engine-parts.ts";
import { storageFailure } from "./errors.ts";
import { commandLine } from "./process-spec.ts";

/** Capacity of the writable layer unless the user says otherwise, in `bytes`; the file is sparse. */
const DEFAULT_STORAGE = 10 * 1024 ** 3;

export interface CreateOptions {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly parts: EngineParts;
  readonly dataRoot: string;
  /** path of the writable disk to make */
  readonly writableDisk: string;
  /** whether the image's parts stay in the store for the container until `releaseImage` */
  readonly keep: boolean;
  /** whether it is for another user than the engine's */
  readonly isForeign?: boolean;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** Resolves the image to a root disk and makes the writable disk. */
export async function createContainer(options: CreateOptions): Promise<PreparedImage> {
  const { id: container, config, parts, onEvent, signal } = options;
  parts.findArtifacts();
  // mkfs is a process of its own and goes first
  const [disk, image] = await Promise.allSettled([
    inPhase(onEvent, { container, phase: "writable-disk" }, () =>
      parts.makeWritableDisk({
        path: options.writableDisk,
        bytes: config.storageSize ?? DEFAULT_STORAGE,
        journal: !config.autoRemove,
        templates: join(options.dataRoot, "disk-templates"),
      }),
    ),
    inPhase(onEvent, { container, phase: "image" }, () =>
      parts.prepareImage({
        reference: config.image,
        platform: config.platform,
        pull: config.pull,
        dataRoot: options.dataRoot,
        container,
        keep: options.keep,
        isForeign: options.isForeign ?? false,
        onEvent,
        signal,
      }),
    ),
  ]);
  if (image.status === "rejected") {
    signal?.throwIfAborted();
    throw storageFailure(image.reason, options.dataRoot);
  }
  try {
    signal?.throwIfAborted();
    if (disk.status === "rejected") throw disk.reason;
    commandLine(config, image.value.run);
    return image.value;
  } catch (error) {
    await image.value[Symbol.asyncDispose]();
    if (options.keep) await parts.releaseImage(container, options.dataRoot);
    throw error;
  }
}
