/**
 * The 512-byte header of a tar member: POSIX ustar (IEEE 1003.1 pax, "ustar Interchange Format"), the old format
 * before it, and GNU's (tar manual, "Basic Tar Format").
 */
import { imageError } from "../errors.ts";

export const BLOCK = 512;

/** A header's fields as they stand; strings are raw bytes, one per UTF-16 unit. */
export interface TarHeader {
  /** type flag, one character; NUL is the old format's regular file */
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** bytes that follow in the stream, before padding */
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

/** Where the fields stand, as `[start, end]` in bytes. */
const FIELD = {
  name: [0, 100],
  mode: [100, 108],
  uid: [108, 116],
  gid: [116, 124],
  size: [124, 136],
  mtime: [136, 148],
  checksum: [148, 156],
  linkName: [157, 257],
  major: [329, 337],
  minor: [337, 345],
  prefix: [345, 500],
} as const;
const TYPE_AT = 156;
const MAGIC_AT = 257;

type Span = readonly [number, number];

/**
 * Parses a header block.
 * @returns `undefined` for a block of zeros
 * @throws LAYER_CORRUPT for a wrong checksum or a number that is none
 */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  const sums = checksums(block);
  if (sums.unsigned === 0) return undefined;
  const stated = number(block, FIELD.checksum, "checksum");
  if (stated !== sums.unsigned && stated !== sums.signed)
    throw corrupt("a header's checksum is wrong");
  const name = text(block, FIELD.name);
  const posix = block.toString("latin1", MAGIC_AT, MAGIC_AT + 6) === "ustar\0";
  const prefix = posix ? text(block, FIELD.prefix) : "";
  const type = String.fromCharCode(block[TYPE_AT] ?? 0);
  const isDevice = type === "3" || type === "4";
  return {
    type,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, FIELD.linkName),
    mode: number(block, FIELD.mode, "mode"),
    uid: number(block, FIELD.uid, "owner"),
    gid: number(block, FIELD.gid, "group"),
    size: number(block, FIELD.size, "size"),
    mtime: number(block, FIELD.mtime, "time"),
    major: isDevice ? number(block, FIELD.major, "device number") : 0,
    minor: isDevice ? number(block, FIELD.minor, "device number") : 0,
  };
}

/**
 * A number: octal digits between blanks, or GNU's base-256 of two's complement when the first bit is set.
 * @throws LAYER_CORRUPT
 */
export function number(block: Buffer, [start, end]: Span, what: string): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, [start, end], what);
  let at = start;
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at++;
  let value = 0;
  for (; at < end; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0x20 || byte === 0) break;
    if (byte < 0x30 || byte > 0x37) throw corrupt(`a header's ${what} is not an octal number`);
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function base256(block: Buffer, [start, end]: Span, what: string): number {
  const negative = ((block[start] ?? 0) & 0x40) !== 0;
  let value = (block[start] ?? 0) & 0x3f;
  if (negative) value -= 0x40;
  for (let at = start + 1; at < end; at++) {
    value = value * 256 + (block[at] ?? 0);
    if (!Number.isSafeInteger(value)) throw corrupt(`a header's ${what} is out of range`);
  }
  return value;
}

function text(block: Buffer, [start, end]: Span): string {
  let stop = start;
  while (stop < end && block[stop] !== 0) stop++;
  return block.toString("latin1", start, stop);
}

/** The checksum counts its own field as blanks; some old writers summed signed bytes. */
function checksums(block: Buffer): { unsigned: number; signed: number } {
  let sum = 0;
  let high = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = block[at] ?? 0;
    sum += byte;
    high += byte >> 7;
  }
  if (sum === 0) return { unsigned: 0, signed: 0 };
  for (let at: number = FIELD.checksum[0]; at < FIELD.checksum[1]; at++) {
    const byte = block[at] ?? 0;
    sum += 0x20 - byte;
    high -= byte >> 7;
  }
  return { unsigned: sum, signed: sum - 256 * high };
}

function corrupt(what: string): Error {
  return imageError("LAYER_CORRUPT", `corrupt tar stream: ${what}`);
}
