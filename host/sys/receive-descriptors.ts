/** The other end of send-descriptors.ts: bytes of a socket, and the open files that come with them. */

import { Buffer } from "node:buffer";
import koffi from "koffi";
import { foreign } from "./libc.ts";
import { CMSGHDR_SIZE, CONTROL_LENGTH_AT, messageHeader } from "./message-header.ts";

// The kernel reads and writes the header and what it points to during the call; as locals they cannot be collected before.
const recvmsg = foreign<(fd: number, message: Uint8Array, flags: number) => number>(
  "intptr_t recvmsg(int fd, void *message, int flags)",
);

/** linux/socket.h */
const MSG_CMSG_CLOEXEC = 0x4000_0000;
/** SCM_MAX_FD of net/scm.h */
const DESCRIPTORS_LIMIT = 253;

export interface ReceivedMessage {
  /** in `bytes`; a negated errno for none */
  readonly length: number;
  /** close-on-exec, and the caller's */
  readonly descriptors: readonly number[];
}

/** Leaves up to `length` bytes at `address`, which stays mapped during the call. */
export function receiveDescriptors(
  socket: number,
  address: number,
  length: number,
): ReceivedMessage {
  const control = Buffer.alloc(CMSGHDR_SIZE + 4 * DESCRIPTORS_LIMIT);
  const message = messageHeader(BigInt(address), length, control);
  const received = recvmsg(socket, message.header, MSG_CMSG_CLOEXEC);
  if (received < 0) return { length: -koffi.errno(), descriptors: [] };
  // without SO_PASSCRED nothing but SCM_RIGHTS comes (unix(7))
  const came = message.header.readUInt32LE(CONTROL_LENGTH_AT);
  const size = came < CMSGHDR_SIZE ? CMSGHDR_SIZE : control.readUInt32LE(0);
  const descriptors = Array.from({ length: (size - CMSGHDR_SIZE) / 4 }, (_, index) =>
    control.readInt32LE(CMSGHDR_SIZE + 4 * index),
  );
  return { length: received, descriptors };
}
