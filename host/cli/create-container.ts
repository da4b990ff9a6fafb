/** Has a daemon make a container; the image is brought to it first where its user wants that. */

import { resolve } from "node:path";
import type { DaemonClient } from "../api/client/daemon-client.ts";
import type { EventSink } from "../api/engine-api.ts";
import type { DaemonContainerConfig } from "../api/server/daemon-model.ts";
import { cliError } from "./errors.ts";

/** Files of the user's own, with the path behind the colon. */
const FILE_REFERENCE = /^(oci|oci-archive|docker-archive):(.+)$/s;

/** The configuration with a path that means the same to a daemon, which is elsewhere. @throws DvmError `CONFLICT` */
export function withAbsoluteImage(config: DaemonContainerConfig): DaemonContainerConfig {
  if (config.image === "") throw cliError("CONFLICT", 'invalid image reference: ""');
  const [, transport, path] = FILE_REFERENCE.exec(config.image) ?? [];
  if (transport === undefined || path === undefined) return config;
  return { ...config, image: `${transport}:${resolve(path)}` };
}

/** @returns the container's id; warnings are told */
export async function createContainer(options: {
  readonly daemon: DaemonClient;
  readonly config: DaemonContainerConfig;
  readonly onEvent: EventSink;
  readonly signal?: AbortSignal;
}): Promise<string> {
  const { daemon, config, onEvent, signal } = options;
  const { Id: id, Warnings: warnings } = await daemon.create(
    { pull: "missing", ...withAbsoluteImage(config) },
    { signal, onEvent },
  );
  for (const text of warnings) onEvent({ type: "warning", container: id, text });
  return id;
}
