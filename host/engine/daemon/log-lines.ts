/**
 * Output as entries of Docker's json-file format, a line of it each.
 *
 * They are made byte by byte in one piece of memory, which all logs have in common: as strings, what a process
 * writes would take twenty times as long, and leave the collector several times its length.
 */

import { Buffer, isUtf8 } from "node:buffer";
import { MOMENT_LENGTH, momentsInto } from "./clock.ts";

export type OutputName = "stdout" | "stderr";

/** Longest piece of a line in one entry, in `bytes`, as Docker has it. */
export const MAX_PIECE = 16 * 1024;
/** Longest entry: every byte as `\u0000`, and what is around them, in `bytes`. */
const MAX_ENTRY = 6 * MAX_PIECE + 256;
/** What is handed on at a time, in `bytes`. */
const BLOCK = 4 * MAX_ENTRY;
const LINE_FEED = 10;
const HEAD = '{"log":"';

/** How a JSON text has a byte of ASCII, where that is not the byte itself. */
const ESCAPES = Array.from({ length: 128 }, (_, code) => {
  const text = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
  return text.length === 1 ? undefined : Buffer.from(text);
});
/** Of each byte: as it is, escaped, or a part of a longer character. */
const PLAIN = 0;
const ESCAPED = 1;
const LONGER = 2;
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte > 0x7f) return LONGER;
  return ESCAPES[byte] === undefined ? PLAIN : ESCAPED;
});

/** Costs nothing before something is logged. */
const memory = Buffer.allocUnsafeSlow(BLOCK);

/**
 * Makes entries of the bytes. What is no UTF-8 becomes U+FFFD, as with Docker.
 *
 * @param write takes whole entries, which are valid during the call
 */
export function encodeLines(
  stream: OutputName,
  bytes: Uint8Array,
  write: (entries: Uint8Array) => void,
): void {
  const tail = `","stream":"${stream}","time":"`;
  // an entry's end and the begin of the next one, which are copied together
  const border = Buffer.from(`${tail}${" ".repeat(MOMENT_LENGTH)}"}\n${HEAD}`);
  const nextMoment = momentsInto(border, tail.length);
  let filled = memory.write(HEAD);
  for (let start = 0; start < bytes.length; ) {
    if (memory.length - filled < MAX_ENTRY) {
      write(memory.subarray(0, filled - HEAD.length));
      filled = HEAD.length;
    }
    const text = putText(filled, bytes, start);
    nextMoment();
    memory.set(border, text.end);
    filled = text.end + border.length;
    start = text.taken;
  }
  if (bytes.length > 0) write(memory.subarray(0, filled - HEAD.length));
}

/** Where a piece from `start` ends at the latest: not within a character of UTF-8. */
export function cutAt(bytes: Uint8Array, start: number): number {
  const end = start + MAX_PIECE;
  if (end >= bytes.length) return bytes.length;
  let cut = end;
  while (cut > end - 4 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--;
  return cut > end - 4 ? cut : end;
}

interface PutText {
  /** where it ends in the memory */
  readonly end: number;
  /** where it ends in the bytes */
  readonly taken: number;
}

/** Puts the line from `start` on, or as much of it as is for one entry, into the memory. */
function putText(at: number, bytes: Uint8Array, start: number): PutText {
  const limit = cutAt(bytes, start);
  const target = memory;
  const kinds = KINDS;
  let end = at;
  let taken = start;
  let isAscii = true;
  while (taken < limit) {
    const byte = bytes[taken++] ?? 0;
    // most are as they are: the others are written over
    target[end++] = byte;
    const kind = kinds[byte];
    if (kind === PLAIN) continue;
    if (kind === LONGER) isAscii = false;
    else end = putEscape(end - 1, byte);
    if (byte === LINE_FEED) break;
  }
  if (isAscii) return { end, taken };
  const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, taken - start);
  if (isUtf8(line)) return { end, taken };
  const text = JSON.stringify(line.toString("utf8")).slice(1, -1);
  return { end: at + memory.write(text, at), taken };
}

function putEscape(at: number, byte: number): number {
  const text = ESCAPES[byte];
  if (text === undefined) throw new TypeError(`byte ${byte} needs no escape`);
  for (let index = 0; index < text.length; index++) memory[at + index] = text[index] ?? 0;
  return at + text.length;
}
