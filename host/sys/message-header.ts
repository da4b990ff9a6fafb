/** The header of sendmsg(2) and recvmsg(2): where bytes and open files (SCM_RIGHTS, unix(7)) are in memory. */

import { Buffer } from "node:buffer";
import koffi from "koffi";

/** struct cmsghdr: len 0, level 8, type 12; the data follows. */
export const CMSGHDR_SIZE = 16;
/** struct msghdr of the C library on x86-64: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48. */
const MSGHDR_SIZE = 56;
/** Place of `controllen`, which the kernel sets to what has come. */
export const CONTROL_LENGTH_AT = 40;

export interface MessageHeader {
  /** struct msghdr */
  readonly header: Buffer;
  /** struct iovec that it points to: to be reachable during the call, as `control` is */
  readonly iov: Buffer;
}

/** Of `length` bytes at `address`. */
export function messageHeader(
  address: bigint,
  length: number,
  control: Buffer<ArrayBuffer>,
): MessageHeader {
  const iov = Buffer.alloc(16);
  iov.writeBigUInt64LE(address, 0);
  iov.writeBigUInt64LE(BigInt(length), 8);
  const header = Buffer.alloc(MSGHDR_SIZE);
  header.writeBigUInt64LE(koffi.address(iov), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), CONTROL_LENGTH_AT);
  return { header, iov };
}
