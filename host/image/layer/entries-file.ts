/**
 * The entries of a layer on disk, in a form that loads fast. Little-endian throughout:
 *
 *   header   magic `DVMENTRY`, u32 version, u32 entries, u32 bytes of the string pool, u32 runs, u32 bytes of the
 *            xattr pool, u32 CRC-32 of all that follows
 *   records  64 bytes an entry, laid out by RECORD
 *   runs     three f64 each: file offset, data offset, length
 *   xattrs   u16 length of the name, u32 length of the value, name, value
 *   strings  path and target of each entry, one after another, without separators
 *
 * Runs, xattrs and strings stand in the order of the entries, so that no record needs an offset.
 */
import { crc32 } from "node:zlib";
import type { DataRun, LayerEntry } from "../../rootfs/entry.ts";
import { imageError } from "../errors.ts";

/** Version of the format; files of another one are made again. */
export const ENTRIES_VERSION = 1;

const MAGIC = Buffer.from("DVMENTRY", "latin1");
const HEADER_BYTES = 32;
const RECORD_BYTES = 64;
const RUN_BYTES = 24;
const XATTR_HEAD_BYTES = 6;
/** Offsets within a record, in `bytes`. A device's numbers stand where a file's size does. */
const RECORD = {
  type: 0,
  mode: 2,
  uid: 4,
  gid: 8,
  mtimeNanoseconds: 12,
  mtime: 16,
  size: 24,
  major: 24,
  minor: 28,
  pathLength: 32,
  targetLength: 36,
  runs: 40,
  xattrs: 44,
} as const;

const TYPES = [
  "file",
  "directory",
  "symlink",
  "hardlink",
  "character",
  "block",
  "fifo",
  "socket",
] as const;

/** Gathers the entries of a layer in their encoded form, which is far smaller than the objects. */
export class EntriesEncoder {
  readonly #records = new Pool();
  readonly #runs = new Pool();
  readonly #xattrs = new Pool();
  readonly #strings = new Pool();

  /** Number of entries so far. */
  get count(): number {
    return this.#records.length / RECORD_BYTES;
  }

  /** What the entries take so far, in `bytes`. */
  get length(): number {
    return this.#records.length + this.#runs.length + this.#xattrs.length + this.#strings.length;
  }

  add(entry: LayerEntry): void {
    const { buffer, at } = this.#records.reserve(RECORD_BYTES);
    buffer.fill(0, at, at + RECORD_BYTES);
    buffer.writeUInt8(TYPES.indexOf(entry.type), at + RECORD.type);
    buffer.writeUInt16LE(entry.mode, at + RECORD.mode);
    buffer.writeUInt32LE(entry.uid, at + RECORD.uid);
    buffer.writeUInt32LE(entry.gid, at + RECORD.gid);
    buffer.writeUInt32LE(entry.mtimeNanoseconds, at + RECORD.mtimeNanoseconds);
    buffer.writeDoubleLE(entry.mtime, at + RECORD.mtime);
    buffer.writeUInt32LE(entry.path.length, at + RECORD.pathLength);
    buffer.writeUInt32LE(entry.xattrs.size, at + RECORD.xattrs);
    this.#strings.addLatin1(entry.path);
    for (const [name, value] of entry.xattrs) this.#addXattr(name, value);
    if (entry.type === "file") {
      buffer.writeDoubleLE(entry.size, at + RECORD.size);
      buffer.writeUInt32LE(entry.data.length, at + RECORD.runs);
      for (const run of entry.data) this.#addRun(run);
    } else if (entry.type === "character" || entry.type === "block") {
      buffer.writeUInt32LE(entry.major, at + RECORD.major);
      buffer.writeUInt32LE(entry.minor, at + RECORD.minor);
    } else if (entry.type === "symlink" || entry.type === "hardlink") {
      buffer.writeUInt32LE(entry.target.length, at + RECORD.targetLength);
      this.#strings.addLatin1(entry.target);
    }
  }

  /** The file's content. */
  finish(): Buffer {
    const head = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(head, 0);
    head.writeUInt32LE(ENTRIES_VERSION, 8);
    head.writeUInt32LE(this.count, 12);
    head.writeUInt32LE(this.#strings.length, 16);
    head.writeUInt32LE(this.#runs.length / RUN_BYTES, 20);
    head.writeUInt32LE(this.#xattrs.length, 24);
    const pools = [this.#records, this.#runs, this.#xattrs, this.#strings];
    const file = Buffer.concat([head, ...pools.map((pool) => pool.bytes())]);
    file.writeUInt32LE(crc32(file.subarray(HEADER_BYTES)), 28);
    return file;
  }

  #addRun(run: DataRun): void {
    const { buffer, at } = this.#runs.reserve(RUN_BYTES);
    buffer.writeDoubleLE(run.fileOffset, at);
    buffer.writeDoubleLE(run.dataOffset, at + 8);
    buffer.writeDoubleLE(run.length, at + 16);
  }

  #addXattr(name: string, value: Uint8Array): void {
    const { buffer, at } = this.#xattrs.reserve(XATTR_HEAD_BYTES);
    buffer.writeUInt16LE(name.length, at);
    buffer.writeUInt32LE(value.length, at + 2);
    this.#xattrs.addLatin1(name);
    this.#xattrs.add(value);
  }
}

/**
 * Decodes a file of entries.
 * @param where its path, for messages
 * @throws STORE_CORRUPT
 */
export function decodeEntries(file: Buffer, where: string): LayerEntry[] {
  const layout = readLayout(file, where);
  const strings = file.toString("latin1", layout.strings, file.length);
  const entries = new Array<LayerEntry>(layout.count);
  const cursor = { run: layout.runs, xattr: layout.xattrs, string: 0 };
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const source = { view, cursor, strings };
  for (let n = 0; n < layout.count; n++)
    entries[n] = decodeEntry(file, layout.records + n * RECORD_BYTES, source);
  return entries;
}

interface Layout {
  readonly count: number;
  readonly records: number;
  readonly runs: number;
  readonly xattrs: number;
  readonly strings: number;
}

function readLayout(file: Buffer, where: string): Layout {
  const corrupt = (what: string): Error => imageError("STORE_CORRUPT", `${where}: ${what}`);
  if (file.length < HEADER_BYTES || file.compare(MAGIC, 0, 8, 0, 8) !== 0)
    throw corrupt("not a file of layer entries");
  const version = file.readUInt32LE(8);
  if (version !== ENTRIES_VERSION) throw corrupt(`format ${version}, not ${ENTRIES_VERSION}`);
  const count = file.readUInt32LE(12);
  const runs = HEADER_BYTES + count * RECORD_BYTES;
  const xattrs = runs + file.readUInt32LE(20) * RUN_BYTES;
  const strings = xattrs + file.readUInt32LE(24);
  if (strings + file.readUInt32LE(16) !== file.length) throw corrupt("wrong length");
  if (crc32(file.subarray(HEADER_BYTES)) !== file.readUInt32LE(28)) throw corrupt("wrong checksum");
  return { count, records: HEADER_BYTES, runs, xattrs, strings };
}

interface Source {
  readonly view: DataView;
  readonly cursor: { run: number; xattr: number; string: number };
  readonly strings: string;
}

function decodeEntry(file: Buffer, at: number, source: Source): LayerEntry {
  const { view } = source;
  const type = TYPES[view.getUint8(at + RECORD.type)] ?? "file";
  const path = takeString(source, view.getUint32(at + RECORD.pathLength, true));
  const mode = view.getUint16(at + RECORD.mode, true);
  const uid = view.getUint32(at + RECORD.uid, true);
  const gid = view.getUint32(at + RECORD.gid, true);
  const mtime = view.getFloat64(at + RECORD.mtime, true);
  const mtimeNanoseconds = view.getUint32(at + RECORD.mtimeNanoseconds, true);
  const xattrs = takeXattrs(file, source, view.getUint32(at + RECORD.xattrs, true));
  // Spelled out for each type: the objects come by the ten thousand, and spreading one into another costs most of it.
  switch (type) {
    case "file": {
      const size = view.getFloat64(at + RECORD.size, true);
      const data = takeRuns(source, view.getUint32(at + RECORD.runs, true));
      return { type, path, mode, uid, gid, mtime, mtimeNanoseconds, xattrs, size, data };
    }
    case "symlink":
    case "hardlink": {
      const target = takeString(source, view.getUint32(at + RECORD.targetLength, true));
      return { type, path, mode, uid, gid, mtime, mtimeNanoseconds, xattrs, target };
    }
    case "character":
    case "block": {
      const major = view.getUint32(at + RECORD.major, true);
      const minor = view.getUint32(at + RECORD.minor, true);
      return { type, path, mode, uid, gid, mtime, mtimeNanoseconds, xattrs, major, minor };
    }
    default:
      return { type, path, mode, uid, gid, mtime, mtimeNanoseconds, xattrs };
  }
}

function takeString({ cursor, strings }: Source, length: number): string {
  const start = cursor.string;
  cursor.string += length;
  return strings.slice(start, cursor.string);
}

function takeRuns({ view, cursor }: Source, count: number): DataRun[] {
  const runs: DataRun[] = [];
  for (let n = 0; n < count; n++) {
    const at = cursor.run;
    cursor.run += RUN_BYTES;
    runs.push({
      fileOffset: view.getFloat64(at, true),
      dataOffset: view.getFloat64(at + 8, true),
      length: view.getFloat64(at + 16, true),
    });
  }
  return runs;
}

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

function takeXattrs(
  file: Buffer,
  { cursor }: Source,
  count: number,
): ReadonlyMap<string, Uint8Array> {
  if (count === 0) return NO_XATTRS;
  const xattrs = new Map<string, Uint8Array>();
  for (let n = 0; n < count; n++) {
    const name = cursor.xattr + XATTR_HEAD_BYTES;
    const value = name + file.readUInt16LE(cursor.xattr);
    cursor.xattr = value + file.readUInt32LE(cursor.xattr + 2);
    xattrs.set(file.toString("latin1", name, value), file.subarray(value, cursor.xattr));
  }
  return xattrs;
}

/** Bytes that are gathered piece by piece, in blocks, so that growing copies nothing. */
class Pool {
  static readonly #BLOCK = 64 * 1024;
  readonly #full: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  length = 0;

  reserve(bytes: number): { buffer: Buffer; at: number } {
    if (this.#block.length - this.#used < bytes) {
      this.#full.push(this.#block.subarray(0, this.#used));
      this.#block = Buffer.allocUnsafeSlow(Math.max(Pool.#BLOCK, bytes));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += bytes;
    this.length += bytes;
    return { buffer: this.#block, at };
  }

  addLatin1(text: string): void {
    const { buffer, at } = this.reserve(text.length);
    buffer.write(text, at, text.length, "latin1");
  }

  add(bytes: Uint8Array): void {
    const { buffer, at } = this.reserve(bytes.length);
    buffer.set(bytes, at);
  }

  bytes(): Buffer {
    return Buffer.concat([...this.#full, this.#block.subarray(0, this.#used)]);
  }
}
