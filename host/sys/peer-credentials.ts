/** SO_PEERCRED (unix(7)): which process is at the other end of a connected socket of the unix domain. */

import { Buffer } from "node:buffer";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

// The kernel fills both buffers during the call and keeps neither; as arguments they cannot be collected before.
const getsockopt = foreign<
  (fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array) => number
>("int getsockopt(int fd, int level, int name, void *value, void *length)");

/** asm-generic/socket.h */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred (linux/socket.h): pid at 0, uid at 4, gid at 8, all of four bytes. */
const UCRED_SIZE = 12;

/**
 * The process that connected, as it was at that moment; the kernel says so, the peer has no say in it.
 *
 * @throws {SystemError}
 */
export function peerCredentials(fd: number): PeerCredentials {
  const ucred = Buffer.alloc(UCRED_SIZE);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_SIZE);
  const result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ucred, length);
  checked("getsockopt SO_PEERCRED", `on descriptor ${fd}`, result);
  return { pid: ucred.readInt32LE(0), uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) };
}
