/** The descriptor behind a socket of Node's, which has it on its handle only. */

import type { Duplex } from "node:stream";

/** It stays the socket's. @throws TypeError for one that is closed */
export function descriptorOf(socket: Duplex): number {
  const { _handle } = socket as { readonly _handle?: { readonly fd?: unknown } };
  const fd = _handle?.fd;
  if (typeof fd !== "number" || fd < 0) throw new TypeError("a connection without a descriptor");
  return fd;
}
