/** Where a daemon is found: its socket, and what keeps a second one away. */

import { basename, dirname, join } from "node:path";
import { type EnginePaths, enginePaths } from "../../engine/paths.ts";
import { apiError } from "../docker/errors.ts";

export interface DaemonPlaces extends EnginePaths {
  /** path of the socket */
  readonly socket: string;
  /** what a daemon says that the command line started */
  readonly log: string;
}

export interface PlacesOptions {
  /** `unix://PATH`; absent: the usual place */
  readonly host?: string | undefined;
  /** absent: the usual one */
  readonly dataRoot?: string | undefined;
}

/** Every data root has a daemon of its own; its socket is beside its run root. @throws DvmError `BAD_REQUEST` */
export function daemonPlaces(
  { host, dataRoot }: PlacesOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): DaemonPlaces {
  const paths = enginePaths(environment, dataRoot);
  const name = basename(paths.runRoot);
  const socket = join(dirname(paths.runRoot), name === "default" ? "dvmd.sock" : `${name}.sock`);
  return {
    ...paths,
    socket: host === undefined ? socket : hostPath(host),
    log: join(paths.dataRoot, "dvmd.log"),
  };
}

/** The path in `unix://PATH`. @throws DvmError `BAD_REQUEST` */
export function hostPath(host: string): string {
  const path = /^unix:\/\/(\/.+)$/s.exec(host)?.[1];
  if (path !== undefined && !path.includes("\0")) return path;
  throw apiError("BAD_REQUEST", `unable to parse host ${JSON.stringify(host)}: want unix://PATH`);
}
