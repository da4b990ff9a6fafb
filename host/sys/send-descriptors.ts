/** SCM_RIGHTS (unix(7)): open files handed to the process at the other end of a socket of the unix domain. */

import { Buffer } from "node:buffer";
import koffi from "koffi";
import { foreign } from "./libc.ts";
import { CMSGHDR_SIZE, messageHeader } from "./message-header.ts";
import { checked } from "./system-error.ts";

// The kernel reads the header and what it points to during the call; as locals they cannot be collected before.
const sendmsg = foreign<(fd: number, message: Uint8Array, flags: number) => number>(
  "intptr_t sendmsg(int fd, const void *message, int flags)",
);

/** linux/socket.h */
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;

/**
 * Sends bytes, and with them descriptors, which stay the caller's: at least one, at most 253 (SCM_MAX_FD).
 *
 * @throws {SystemError} `EAGAIN` when the socket has no room
 * @throws RangeError when only part of the bytes went: the stream is of no use then
 */
export function sendDescriptors(
  socket: number,
  bytes: Uint8Array,
  descriptors: readonly number[],
): void {
  const data = Buffer.from(bytes);
  const length = CMSGHDR_SIZE + 4 * descriptors.length;
  const control = Buffer.alloc(8 * Math.ceil(length / 8));
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) {
    control.writeInt32LE(descriptor, CMSGHDR_SIZE + 4 * index);
  }
  const message = messageHeader(koffi.address(data), data.length, control);
  const sent = sendmsg(socket, message.header, MSG_NOSIGNAL | MSG_DONTWAIT);
  checked("sendmsg", `of descriptors ${descriptors.join(", ")}`, sent);
  if (sent !== data.length) throw new RangeError(`${sent} of ${data.length} bytes were sent`);
}
