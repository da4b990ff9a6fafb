/** The image of a container with a path that means the same to a daemon, which is elsewhere. */

import { resolve } from "node:path";
import { cliError } from "./errors.ts";

/** Files of the user's own, with the path behind the colon. */
const FILE_REFERENCE = /^(oci|oci-archive|docker-archive):(.+)$/s;

/** @throws DvmError `CONFLICT` for no image at all */
export function withAbsoluteImage<T extends { readonly image: string }>(config: T): T {
  if (config.image === "") throw cliError("CONFLICT", 'invalid image reference: ""');
  const [, transport, path] = FILE_REFERENCE.exec(config.image) ?? [];
  if (transport === undefined || path === undefined) return config;
  return { ...config, image: `${transport}:${resolve(path)}` };
}
