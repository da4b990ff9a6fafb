/** Of node:os what the command line needs. */

import { SIGNALS } from "#linux/signal";
import { NotHere } from "../not-here.ts";
import { environment } from "../world.ts";

export const constants = { signals: SIGNALS };

/** @throws NotHere for a user whose home is known by /etc/passwd alone */
export function homedir(): string {
  const { HOME } = environment();
  if (!HOME) throw new NotHere("a home without HOME");
  return HOME;
}

export function tmpdir(): string {
  const { TMPDIR, TMP, TEMP } = environment();
  const path = TMPDIR || TMP || TEMP || "/tmp";
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
