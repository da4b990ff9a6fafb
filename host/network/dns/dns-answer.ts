/** The addresses that a name server's answer tells (RFC 1035 §4.1.3, RFC 3596). */

import { formatIpv4 } from "../ipv4.ts";
import { formatIpv6 } from "../ipv6.ts";
import { TYPE_A, TYPE_AAAA } from "./dns-message.ts";

export interface AnsweredAddress {
  readonly address: string;
  /** how long it may be kept, in `seconds` */
  readonly lifetime: number;
}

const HEADER_SIZE = 12;
/** type, class, time to live, and length of what follows, in `bytes` */
const RECORD_SIZE = 10;
const CLASS_IN = 1;
/** the bits of a label's length that make it a pointer (RFC 1035 §4.1.4) */
const POINTER = 0xc0;
const MAX_LABELS = 128;

/**
 * Every address in the answer section, whichever name it is by: aliases lead to others.
 *
 * @returns nothing for a message that is not whole
 */
export function answeredAddresses(message: Uint8Array): AnsweredAddress[] | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length < HEADER_SIZE) return undefined;
  let at: number | undefined = HEADER_SIZE;
  for (let left = bytes.readUInt16BE(4); left > 0; left--) {
    const end = skipName(bytes, at);
    if (end === undefined) return undefined;
    at = end + 4;
  }
  const found: AnsweredAddress[] = [];
  for (let left = bytes.readUInt16BE(6); left > 0; left--) {
    const start = skipName(bytes, at);
    if (start === undefined || start + RECORD_SIZE > bytes.length) return undefined;
    const length = bytes.readUInt16BE(start + 8);
    at = start + RECORD_SIZE + length;
    if (at > bytes.length) return undefined;
    const data = bytes.subarray(start + RECORD_SIZE, at);
    const isInternet = bytes.readUInt16BE(start + 2) === CLASS_IN;
    const address = isInternet ? addressOf(bytes.readUInt16BE(start), data) : undefined;
    // the highest bit is no part of a time (RFC 2181 §8)
    if (address !== undefined) found.push({ address, lifetime: bytes.readInt32BE(start + 4) });
  }
  return found;
}

function addressOf(type: number, data: Buffer): string | undefined {
  if (type === TYPE_A && data.length === 4) return formatIpv4(data.readUInt32BE());
  if (type === TYPE_AAAA && data.length === 16) {
    return formatIpv6((data.readBigUInt64BE(0) << 64n) | data.readBigUInt64BE(8));
  }
  return undefined;
}

/** @returns where the name ends; nothing when it does not */
function skipName(bytes: Buffer, start: number): number | undefined {
  let at = start;
  for (let labels = 0; labels < MAX_LABELS; labels++) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if ((length & POINTER) === POINTER) return at + 2 <= bytes.length ? at + 2 : undefined;
    at += 1 + length;
  }
  return undefined;
}
