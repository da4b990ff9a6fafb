/** Headers of tar archives (POSIX.1-2017 pax interchange format), written and read; names are bytes-safe strings. */

import { decodeText, encodeText } from "../text.ts";

export const BLOCK = 512;

/** Types of entries, as the header has them. */
export const TarType = {
  FILE: "0",
  LINK: "1",
  SYMLINK: "2",
  CHARACTER: "3",
  BLOCK: "4",
  FOLDER: "5",
  FIFO: "6",
} as const;

export interface TarEntry {
  /** without a slash at its end */
  readonly name: string;
  readonly type: string;
  /** permission bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** of the content that follows, in `bytes` */
  readonly size: number;
  /** since the epoch, in `seconds` */
  readonly mtime: number;
  /** target of a link */
  readonly link: string;
  /** of a device */
  readonly major: number;
  readonly minor: number;
  /** extended attributes by name */
  readonly attributes: ReadonlyMap<string, Uint8Array>;
}

/** Longest pax or GNU header that is read, in `bytes`. */
export const MAX_EXTENDED = 1024 * 1024;
/** The largest numbers of seven and eleven octal digits. */
const MAX_SHORT = 0o7777777;
const MAX_LONG = 0o77777777777;
const XATTR = "SCHILY.xattr.";

/** The header, with one for what does not fit before it. */
export function writeHeader(entry: TarEntry): Uint8Array {
  const name = encodeText(entry.type === TarType.FOLDER ? `${entry.name}/` : entry.name);
  const link = encodeText(entry.link);
  const pax: Uint8Array[] = [];
  if (name.length > 100) pax.push(paxRecord("path", name));
  if (link.length > 100) pax.push(paxRecord("linkpath", link));
  if (entry.size > MAX_LONG) pax.push(paxRecord("size", encodeText(`${entry.size}`)));
  if (entry.uid > MAX_SHORT) pax.push(paxRecord("uid", encodeText(`${entry.uid}`)));
  if (entry.gid > MAX_SHORT) pax.push(paxRecord("gid", encodeText(`${entry.gid}`)));
  for (const [key, value] of entry.attributes) pax.push(paxRecord(`${XATTR}${key}`, value));
  const own = header({ ...entry, name, link });
  if (pax.length === 0) return own;
  const body = concat(pax);
  const before = { ...entry, type: "x", size: body.length, major: 0, minor: 0, mode: 0o644 };
  const head = header({ ...before, name: encodeText("pax"), link: new Uint8Array(0) });
  return concat([head, padded(body), own]);
}

/** The end of an archive. */
export function endOfArchive(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

/** What pads content to whole blocks, in `bytes`. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** One header; `undefined` for a block of zeros. @throws RangeError for what is no header */
export function readHeader(block: Uint8Array): TarEntry | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (octal(block, 148, 8) !== checksum(block)) throw new RangeError("invalid tar header");
  const isPosix = text(block, 257, 6) === "ustar";
  const prefix = isPosix && text(block, 257, 8).startsWith("ustar") ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  // a GNU header has times in the prefix's place
  const isGnu = block[262] === 0x20;
  return {
    name: prefix === "" || isGnu ? name : `${prefix}/${name}`,
    type: block[156] === 0 ? TarType.FILE : String.fromCharCode(block[156] ?? 0x30),
    mode: octal(block, 100, 8) & 0o7777,
    uid: octal(block, 108, 8),
    gid: octal(block, 116, 8),
    size: octal(block, 124, 12),
    mtime: octal(block, 136, 12),
    link: text(block, 157, 100),
    major: octal(block, 329, 8),
    minor: octal(block, 337, 8),
    attributes: new Map(),
  };
}

/** An entry with what a pax header says of it. @throws RangeError for a record that is none */
export function withPax(entry: TarEntry, records: ReadonlyMap<string, Uint8Array>): TarEntry {
  const words = (key: string, usual: string) => {
    const value = records.get(key);
    return value === undefined ? usual : decodeText(value);
  };
  const number = (key: string, usual: number) => {
    const value = Number(words(key, `${usual}`));
    if (!(value >= 0)) throw new RangeError(`invalid pax record ${key}`);
    return Math.floor(value);
  };
  const attributes = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (key.startsWith(XATTR)) attributes.set(key.slice(XATTR.length), value);
  }
  return {
    ...entry,
    name: words("path", entry.name),
    link: words("linkpath", entry.link),
    size: number("size", entry.size),
    uid: number("uid", entry.uid),
    gid: number("gid", entry.gid),
    mtime: number("mtime", entry.mtime),
    attributes,
  };
}

/** The records of a pax header's body. @throws RangeError */
export function readPax(body: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = Number(decodeText(body.subarray(at, space < 0 ? at : space)));
    const equals = body.indexOf(0x3d, space);
    const end = at + length;
    if (!(length > 0) || end > body.length || equals < 0 || equals >= end) {
      throw new RangeError("invalid pax header");
    }
    records.set(decodeText(body.subarray(space + 1, equals)), body.slice(equals + 1, end - 1));
    at = end;
  }
  return records;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function header(
  entry: Omit<TarEntry, "name" | "link"> & { readonly name: Uint8Array; readonly link: Uint8Array },
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set(entry.name.subarray(0, 100), 0);
  putOctal(block, { at: 100, digits: 7, value: entry.mode });
  putOctal(block, { at: 108, digits: 7, value: Math.min(entry.uid, MAX_SHORT) });
  putOctal(block, { at: 116, digits: 7, value: Math.min(entry.gid, MAX_SHORT) });
  putOctal(block, { at: 124, digits: 11, value: Math.min(entry.size, MAX_LONG) });
  putOctal(block, { at: 136, digits: 11, value: Math.max(0, entry.mtime) });
  block.set(encodeText("        "), 148);
  block[156] = entry.type.charCodeAt(0);
  block.set(entry.link.subarray(0, 100), 157);
  block.set(encodeText("ustar\0" + "00"), 257);
  putOctal(block, { at: 329, digits: 7, value: entry.major });
  putOctal(block, { at: 337, digits: 7, value: entry.minor });
  putOctal(block, { at: 148, digits: 6, value: checksum(block) });
  return block;
}

function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const tail = concat([encodeText(` ${key}=`), value, encodeText("\n")]);
  let length = tail.length + 1;
  // the length counts its own digits
  while (`${length}`.length + tail.length !== length) length = `${length}`.length + tail.length;
  return concat([encodeText(`${length}`), tail]);
}

function padded(body: Uint8Array): Uint8Array {
  return concat([body, new Uint8Array(padding(body.length))]);
}

function putOctal(
  block: Uint8Array,
  { at, digits, value }: { readonly at: number; readonly digits: number; readonly value: number },
): void {
  block.set(encodeText(value.toString(8).padStart(digits, "0")), at);
  block[at + digits] = 0;
}

/** The field's own place counts as blanks. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}

function octal(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  // GNU's binary numbers for what octal digits do not hold
  if (first >= 0x80) {
    let value = first & 0x7f;
    for (let index = 1; index < length; index++) value = value * 256 + (block[at + index] ?? 0);
    if (!Number.isSafeInteger(value)) throw new RangeError("invalid tar header: number too large");
    return value;
  }
  const digits = text(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw new RangeError("invalid tar header: no octal number");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function text(block: Uint8Array, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end));
}
