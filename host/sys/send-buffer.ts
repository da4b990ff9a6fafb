/** SO_SNDBUF (socket(7)): how much a socket takes that its peer has not read. */

import { Buffer } from "node:buffer";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

// The kernel copies the value during the call; as an argument it cannot be collected before.
const setsockopt = foreign<
  (fd: number, level: number, name: number, value: Uint8Array, length: number) => number
>("int setsockopt(int fd, int level, int name, const void *value, uint32_t length)");

/** asm-generic/socket.h */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

/**
 * Sets it to `bytes`, or to the most that the host allows (/proc/sys/net/core/wmem_max).
 *
 * @throws {SystemError} `ENOTSOCK` for what is no socket
 */
export function setSendBuffer(fd: number, bytes: number): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(bytes);
  const result = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, value.length);
  checked("setsockopt SO_SNDBUF", `on descriptor ${fd}`, result);
}
