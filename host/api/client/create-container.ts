/** Has a daemon make a container; the image is brought to it first where its user wants that, as Docker's client does. */

import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import type { EventSink } from "../../engine/engine-event.ts";
import type { ImageProgress } from "../../engine/images/transfer-progress.ts";
import { DvmError } from "../../errors.ts";
import type { DaemonClient } from "./daemon-client.ts";

/** A container as its user wants it. */
export interface WantedContainer extends DaemonContainerConfig {
  /** when the image's registry is asked; absent: when the image is not there */
  readonly pull?: "always" | "missing" | "never";
}

export interface CreateOptions {
  readonly signal?: AbortSignal | undefined;
  /** hears of the steps of the work */
  readonly onEvent: EventSink;
  /** hears of the steps of a pull; absent: nobody does */
  readonly onTransfer?: ((progress: ImageProgress) => void) | undefined;
}

/** Files of the daemon's machine, and IDs in full: no registry has them. */
const LOCAL = /^(?:(?:oci|oci-archive|docker-archive):|(?:sha256:)?[0-9a-f]{64}$)/;

/** @returns the container's id; warnings are told */
export async function createContainer(
  daemon: DaemonClient,
  { pull = "missing", ...config }: WantedContainer,
  options: CreateOptions,
): Promise<string> {
  const { signal, onEvent, onTransfer = () => {} } = options;
  const { image, platform } = config;
  const bring = () => daemon.images.pull(image, { platform, signal, onProgress: onTransfer });
  const isLocal = LOCAL.test(image);
  if (pull === "always" && !isLocal) await bring();
  const make = () => daemon.create(config, { signal, onEvent });
  const { Id: id, Warnings: warnings } = await make().catch(async (error: unknown) => {
    if (pull !== "missing" || isLocal || !isMissing(error)) throw error;
    onTransfer({ status: `unable to find image ${nameOf(image)} locally` });
    await bring();
    return make();
  });
  for (const text of warnings) onEvent({ type: "warning", container: id, text });
  return id;
}

function isMissing(error: unknown): boolean {
  return error instanceof DvmError && error.code === "IMAGE_NOT_FOUND";
}

/** With the tag that is meant. */
function nameOf(image: string): string {
  return /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
}
