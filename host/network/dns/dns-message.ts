/** The part of DNS messages that a name server of a few names needs (RFC 1035 §4.1). */

import { parseIpv6 } from "../ipv6.ts";

/** What is asked: the first question of a message, and all that an answer must repeat. */
export interface DnsQuestion {
  /** number that ties the answer to the question */
  readonly id: number;
  /** bit 8 of the flags: recursion is desired */
  readonly recursion: boolean;
  /** lower case, labels joined by dots, no dot at the end */
  readonly name: string;
  readonly type: number;
  /** the question as it came, for the answer */
  readonly bytes: Uint8Array;
}

/** An answer's record; its name is the question's. */
export type DnsRecord =
  | { readonly type: typeof TYPE_A | typeof TYPE_AAAA; readonly address: string }
  | { readonly type: typeof TYPE_PTR; readonly name: string };

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
const CLASS_IN = 1;

export const NOERROR = 0;
export const SERVFAIL = 2;
export const NXDOMAIN = 3;
export const REFUSED = 5;

const HEADER_SIZE = 12;
const QR = 0x8000;
const OPCODE = 0x7800;
const AA = 0x0400;
const RD = 0x0100;
const RA = 0x0080;
/** longest name on the wire and longest label, in `bytes` (RFC 1035 §2.3.4) */
const MAX_NAME = 255;
const MAX_LABEL = 63;
/** how long an answer may be kept, in `seconds`: containers come and go */
const TIME_TO_LIVE = 5;

/** @returns nothing for what is no standard query of class IN with one question */
export function parseQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < HEADER_SIZE) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  if ((flags & (QR | OPCODE)) !== 0 || view.getUint16(4) !== 1) return undefined;
  const parsed = parseName(message, HEADER_SIZE);
  if (parsed === undefined || parsed.end + 4 > message.length) return undefined;
  if (view.getUint16(parsed.end + 2) !== CLASS_IN) return undefined;
  return {
    id: view.getUint16(0),
    recursion: (flags & RD) !== 0,
    name: parsed.name,
    type: view.getUint16(parsed.end),
    bytes: message.slice(HEADER_SIZE, parsed.end + 4),
  };
}

/** Whether `message` answers the question: the same number, and the same question again. */
export function isAnswerTo(message: Uint8Array, question: DnsQuestion): boolean {
  if (message.length < HEADER_SIZE + question.bytes.length) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.getUint16(0) !== question.id || (view.getUint16(2) & QR) === 0) return false;
  const again = parseName(message, HEADER_SIZE);
  return again?.name === question.name && view.getUint16(again.end) === question.type;
}

export function buildAnswer(
  question: DnsQuestion,
  code: number,
  records: readonly DnsRecord[] = [],
): Uint8Array {
  const header = new Uint8Array(HEADER_SIZE);
  const view = new DataView(header.buffer);
  view.setUint16(0, question.id);
  view.setUint16(2, QR | AA | RA | (question.recursion ? RD : 0) | code);
  view.setUint16(4, 1);
  view.setUint16(6, records.length);
  return Buffer.concat([header, question.bytes, ...records.map(encodeRecord)]);
}

function encodeRecord(record: DnsRecord): Uint8Array {
  const data = encodeData(record);
  const head = new Uint8Array(HEADER_SIZE);
  const view = new DataView(head.buffer);
  // a pointer to the question's name (§4.1.4)
  view.setUint16(0, 0xc000 | HEADER_SIZE);
  view.setUint16(2, record.type);
  view.setUint16(4, CLASS_IN);
  view.setUint32(6, TIME_TO_LIVE);
  view.setUint16(10, data.length);
  return Buffer.concat([head, data]);
}

function encodeData(record: DnsRecord): Uint8Array {
  switch (record.type) {
    case TYPE_A:
      return Uint8Array.from(record.address.split("."), Number);
    case TYPE_AAAA:
      return Buffer.from((parseIpv6(record.address) ?? 0n).toString(16).padStart(32, "0"), "hex");
    case TYPE_PTR:
      return encodeName(record.name);
  }
}

function encodeName(name: string): Uint8Array {
  const labels = name.split(".").map((label) => Buffer.from(label.slice(0, MAX_LABEL)));
  const pieces = labels.flatMap((label) => [Uint8Array.of(label.length), label]);
  return Buffer.concat([...pieces, Uint8Array.of(0)]);
}

/** A question has no name before it, so no pointer can be in its name. */
function parseName(
  message: Uint8Array,
  start: number,
): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > MAX_LABEL || at - start > MAX_NAME) return undefined;
    if (length === 0) return { name: labels.join(".").toLowerCase(), end: at + 1 };
    if (at + 1 + length > message.length) return undefined;
    labels.push(Buffer.from(message.subarray(at + 1, at + 1 + length)).toString("latin1"));
    at += 1 + length;
  }
}
