/** What users of a daemon that is another's may do with its images. */

import { apiError } from "../docker/errors.ts";
import { mayTouch } from "./api-call.ts";
import type { TransferOptions } from "./daemon-engine.ts";
import type { Caller, RegistryAuth } from "./daemon-model.ts";

/**
 * Images are for all users: what one gives a name to, another runs by that name. Bringing it from its registry is no
 * such thing.
 *
 * @throws DvmError `FORBIDDEN`
 */
export function checkMayName(caller: Caller): void {
  if (mayTouch(caller, undefined)) return;
  throw apiError("FORBIDDEN", "only the daemon's own user may name, load and remove images", {
    hint: "pull it, leave its name out, or use dvm with a daemon of your own",
  });
}

/** The daemon's own credentials are for its own user; Docker's clients that have none send empty ones. */
export function transfer({ auth = {}, ...options }: TransferOptions, caller: Caller) {
  const isEmpty = auth.username === undefined && auth.identityToken === undefined;
  if (!isEmpty) return { ...options, credentials: credentialsOf(auth) };
  return { ...options, ...(mayTouch(caller, undefined) ? {} : { credentials: "none" as const }) };
}

function credentialsOf({ username = "", password = "", identityToken }: RegistryAuth) {
  return identityToken === undefined
    ? { username, password }
    : { username, password, identityToken };
}
