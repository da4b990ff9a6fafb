/** The creation of a container, step by step; steps that do not need each other run side by side. */

import type { ContainerConfig } from "./container-config.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import type { EngineParts, PreparedImage } from "./engine-parts.ts";
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
      }),
    ),
    inPhase(onEvent, { container, phase: "image" }, () =>
      parts.prepareImage({
        reference: config.image,
        platform: config.platform,
        dataRoot: options.dataRoot,
        container,
        keep: !config.autoRemove,
        onEvent,
        signal,
      }),
    ),
  ]);
  if (image.status === "rejected") {
    signal?.throwIfAborted();
    throw image.reason;
  }
  try {
    signal?.throwIfAborted();
    if (disk.status === "rejected") throw disk.reason;
    commandLine(config, image.value.run);
    return image.value;
  } catch (error) {
    await image.value[Symbol.asyncDispose]();
    if (!config.autoRemove) await parts.releaseImage(container, options.dataRoot);
    throw error;
  }
}
