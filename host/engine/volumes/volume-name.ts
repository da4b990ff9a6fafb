/** Names of volumes, which are names of folders too. */

import { volumeError } from "./errors.ts";

/** moby volume/local/local.go validateName, and what a folder's name may be long */
export const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/;

/** @throws DvmError `VOLUME_INVALID` with Docker's words */
export function checkVolumeName(name: string | undefined): void {
  if (name === undefined || VOLUME_NAME.test(name)) return;
  const [reason, hint] =
    name.length < 2
      ? [
          "volume name is too short, names should be at least two alphanumeric characters",
          undefined,
        ]
      : [
          `create ${name.slice(0, 130)}: ${JSON.stringify(name.slice(0, 130))} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
          "a folder of the host is named by its absolute path",
        ];
  throw volumeError("VOLUME_INVALID", reason, hint === undefined ? {} : { hint });
}
