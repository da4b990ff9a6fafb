/** One member of a tar stream: its header, with what extension headers in front of it say put in. */
import { excerpt } from "../digest.ts";
import { imageError } from "../errors.ts";
import { type LayerLimits, MAX_XATTR_NAME, MAX_XATTR_VALUE } from "./limits.ts";
import { EMPTY_PAX, type PaxRecords, paxNumber, paxTime } from "./pax-records.ts";
import { isSparseOne, paxRealSize, paxSparseMap, type SparseSegment } from "./sparse-map.ts";
import type { TarHeader } from "./tar-header.ts";

/** A member as it stands in the stream; strings are raw bytes, one per UTF-16 unit. */
export interface TarMember {
  /** type flag of the header; `0` for every kind of regular file */
  readonly type: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** rest of the time, in `nanoseconds` */
  readonly mtimeNanoseconds: number;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** size of the file with its holes, in `bytes` */
  readonly size: number;
  /** bytes that follow in the stream, before padding; the map of a sparse file of format 1.0 included */
  readonly stored: number;
  /** where the stored bytes belong in a sparse file, unless the map is still to be read */
  readonly segments: readonly SparseSegment[] | undefined;
  /** where the map of a sparse file is still to be read from */
  readonly mapFollows: "extension-blocks" | "data" | undefined;
}

/** What stood in front of a header. */
export interface Extensions {
  readonly pax: PaxRecords | undefined;
  /** GNU's long name and long link name (types `L` and `K`) */
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

export const NO_EXTENSIONS: Extensions = {
  pax: undefined,
  longName: undefined,
  longLink: undefined,
};

/** Types that have no data whatever their size field says, as in Go's archive/tar. */
const HEADER_ONLY = /^[1-6]$/;
const REGULAR = /^[07S]$/;
/** Owners are 32 bits wide; the last value means "no owner" to chown(2). */
const MAX_OWNER = 0xffff_fffe;

/**
 * Puts a member together.
 * @throws LAYER_CORRUPT, LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED
 */
export function assembleMember(
  header: TarHeader,
  extensions: Extensions,
  limits: LayerLimits,
): TarMember {
  const pax = extensions.pax ?? EMPTY_PAX;
  const name = pickName(pax, ["GNU.sparse.name", "path"], extensions.longName) ?? header.name;
  const type = memberType(header.type, name);
  const time = pax.values.get("mtime") || undefined;
  const mtime =
    time === undefined ? { seconds: header.mtime, nanoseconds: 0 } : paxTime(time, "mtime");
  return {
    type,
    name: withoutNul(name, "name"),
    linkName: withoutNul(
      pickName(pax, ["linkpath"], extensions.longLink) ?? header.linkName,
      "link target",
    ),
    mode: header.mode & 0o7777,
    uid: owner(paxField(pax, "uid") ?? header.uid, name),
    gid: owner(paxField(pax, "gid") ?? header.gid, name),
    mtime: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    major: header.major,
    minor: header.minor,
    xattrs: xattrs(pax, name),
    ...content(header, type, { pax, name, limits }),
  };
}

type Content = Pick<TarMember, "size" | "stored" | "segments" | "mapFollows">;

function content(
  header: TarHeader,
  type: string,
  context: { readonly pax: PaxRecords; readonly name: string; readonly limits: LayerLimits },
): Content {
  const { pax, name, limits } = context;
  if (HEADER_ONLY.test(type))
    return { size: 0, stored: 0, segments: undefined, mapFollows: undefined };
  const stored = paxField(pax, "size") ?? header.size;
  const mapped = type === "0" ? paxSparseMap(pax) : undefined;
  const inData = type === "0" && mapped === undefined && isSparseOne(pax);
  const sparse = mapped !== undefined || inData;
  const size = (sparse ? paxRealSize(pax) : undefined) ?? stored;
  if (stored < 0 || size < 0) throw refused("negative size", name);
  if (stored > limits.unpacked || size > limits.fileSize)
    throw imageError(
      "LAYER_LIMIT_EXCEEDED",
      `file of ${Math.max(size, stored)} bytes: ${excerpt(name)}`,
    );
  const mapFollows = header.type === "S" ? "extension-blocks" : inData ? "data" : undefined;
  return { size, stored, segments: mapped, mapFollows };
}

/** Old writers mark a directory by nothing but a slash at the end (as Go's archive/tar takes it). */
function memberType(flag: string, name: string): string {
  if (flag === "\0") return name.endsWith("/") ? "5" : "0";
  return REGULAR.test(flag) ? "0" : flag;
}

/** A name from the extension headers; they may state it more than once, but not differently. */
function pickName(
  pax: PaxRecords,
  keys: readonly string[],
  long: string | undefined,
): string | undefined {
  const stated = keys.map((key) => pax.values.get(key) || undefined).find((value) => value);
  if (stated !== undefined && long !== undefined && stated !== long)
    throw refused("PAX and GNU headers name it differently", stated);
  return stated ?? long;
}

function paxField(pax: PaxRecords, key: string): number | undefined {
  const value = pax.values.get(key);
  return value === undefined || value === "" ? undefined : paxNumber(value, key);
}

function owner(id: number, name: string): number {
  if (id < 0 || id > MAX_OWNER) throw refused(`owner ${id} is out of range`, name);
  return id;
}

/**
 * Extended attributes: star's records hold the bytes, libarchive's hold them in base64 under a name in
 * percent-encoding; where both stand, star's count, as for Docker. `trusted.overlay.` ones are left out: the
 * root disk becomes the lower side of an overlay, and they would tell the kernel of redirects and whiteouts
 * that the merge never saw.
 */
function xattrs(pax: PaxRecords, name: string): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const [key, value] of pax.values) {
    const isLibarchive = key.startsWith("LIBARCHIVE.xattr.");
    if (!isLibarchive && !key.startsWith("SCHILY.xattr.")) continue;
    const attribute = isLibarchive
      ? percentDecoded(key.slice("LIBARCHIVE.xattr.".length))
      : key.slice("SCHILY.xattr.".length);
    if (attribute.startsWith("trusted.overlay.")) continue;
    if (isLibarchive && pax.values.has(`SCHILY.xattr.${attribute}`)) continue;
    const bytes = isLibarchive ? Buffer.from(value, "base64") : Buffer.from(value, "latin1");
    if (attribute === "" || attribute.length > MAX_XATTR_NAME || attribute.includes("\0"))
      throw refused(`bad attribute name ${excerpt(attribute)}`, name);
    if (bytes.length > MAX_XATTR_VALUE)
      throw refused(`attribute ${excerpt(attribute)} of ${bytes.length} bytes`, name);
    found.set(attribute, bytes);
  }
  return found.size === 0 ? NO_XATTRS : found;
}

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function withoutNul(text: string, what: string): string {
  if (text.includes("\0")) throw refused(`${what} holds a NUL`, text);
  return text;
}

function refused(why: string, name: string): Error {
  return imageError("LAYER_ENTRY_REFUSED", `refused layer entry ${excerpt(name)}: ${why}`);
}
