/** The creation of a container, step by step; steps that do not need each other run side by side. */

import { join } from "node:path";
import type { ContainerConfig } from "./container-config.ts";
import { type EventSink, inPhase } from "./engine-event.ts";
import type { EngineParts, PreparedImage } from "./engine-parts.ts";
import { storageFailure } from "./errors.ts";
import { commandLine } from "./process-spec.ts";
import { prepareFolder } from "./storage/rootfs-folder.ts";
import { storageDriverOf } from "./storage/storage-driver.ts";

/** Capacity of the writable layer unless the user says otherwise, in `bytes`; the file is sparse. */
const DEFAULT_STORAGE = 10 * 1024 ** 3;

export interface CreateOptions {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly parts: EngineParts;
  readonly dataRoot: string;
  /** path of the writable disk to make */
  readonly writableDisk: string | undefined;
  /** whether the image's parts stay in the store for the container until `releaseImage` */
  readonly keep: boolean;
  /** uid of whose it is; absent: the engine's own user's */
  readonly owner?: number;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** Resolves the image to a root disk and makes the writable disk. */
export async function createContainer(options: CreateOptions): Promise<PreparedImage> {
  const { id: container, config, parts, onEvent, signal } = options;
  parts.findArtifacts();
  // mkfs is a process of its own and goes first
  const [disk, image] = await Promise.allSettled([
    makeEmptyDisk(options),
    inPhase(onEvent, { container, phase: "image" }, async () => {
      if (config.rootfs !== undefined) return prepareFolder(config.rootfs, options.owner);
      return parts.prepareImage({
        reference: config.image,
        platform: config.platform,
        dataRoot: options.dataRoot,
        container,
        keep: options.keep,
        owner: options.owner,
        onEvent,
        signal,
      });
    }),
  ]);
  if (image.status === "rejected") {
    signal?.throwIfAborted();
    throw storageFailure(image.reason, options.dataRoot);
  }
  try {
    signal?.throwIfAborted();
    if (disk.status === "rejected") throw disk.reason;
    commandLine(config, image.value.run);
    await makeDiskOf(image.value, options);
    return image.value;
  } catch (error) {
    await image.value[Symbol.asyncDispose]();
    if (options.keep) await parts.releaseImage(container, options.dataRoot);
    throw error;
  }
}

/** What takes the writes above the image. */
async function makeEmptyDisk(options: CreateOptions): Promise<void> {
  const { id: container, config, writableDisk: path, parts, onEvent } = options;
  if (path === undefined || storageDriverOf(config) !== "overlay") return;
  const { bytes, templates } = diskOptions(options);
  await inPhase(onEvent, { container, phase: "writable-disk" }, () =>
    parts.makeWritableDisk({ path, bytes, journal: !config.autoRemove, templates }),
  );
}

/** What has the image in itself. */
async function makeDiskOf(image: PreparedImage, options: CreateOptions): Promise<void> {
  const { id: container, config, writableDisk: path, onEvent } = options;
  if (path === undefined || storageDriverOf(config) === "overlay") return;
  const { makeFlatStorage } = await import("./storage/make-storage.ts");
  await inPhase(onEvent, { container, phase: "writable-disk" }, () =>
    makeFlatStorage({ config, image, path, ...diskOptions(options) }),
  );
}

function diskOptions({ config, dataRoot }: CreateOptions): { bytes: number; templates: string } {
  return { bytes: storageSize(config), templates: join(dataRoot, "disk-templates") };
}

/** Capacity of the container's disk, in `bytes`. */
export function storageSize(config: Pick<ContainerConfig, "storageSize">): number {
  return config.storageSize ?? DEFAULT_STORAGE;
}
