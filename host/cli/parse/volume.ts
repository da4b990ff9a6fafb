/** --volume: the short form of a mount, whose source may be relative to where the command line runs. */

import { resolve } from "node:path";
import { parseVolume as parseSpec } from "../../api/docker/volume-spec.ts";
import type { ContainerConfig } from "../../api/engine-api.ts";

type MountConfig = NonNullable<ContainerConfig["mounts"]>[number];

/** @throws Error with Docker's words */
export function parseVolume(text: string): MountConfig {
  const colon = text.indexOf(":");
  // the daemon, which may stand elsewhere, takes absolute paths alone (docker/cli opts/mount.go)
  const isRelative = text.startsWith(".") && colon > 0;
  return parseSpec(isRelative ? resolve(text.slice(0, colon)) + text.slice(colon) : text);
}
