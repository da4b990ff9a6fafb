/** For tests: reads a tar stream as a layer, joins a disk into one file, and snapshots folders for comparison. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import type { Layer, LayerEntry } from "./entry.ts";
import type { Extent } from "./extent.ts";

const BLOCK = 4096;

interface TarMember {
  readonly entry: LayerEntry;
  readonly content: Uint8Array;
}

/** Reads a well-formed tar (ustar, pax, GNU long names) that a test has made. */
export function* readTar(tar: Buffer): Generator<TarMember> {
  const pax = new Map<string, Buffer>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + 512);
    const size = Number(paxText(pax, "size") ?? octal(header, 124, 12));
    const content = tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    const flag = String.fromCharCode(header[156] ?? 0);
    if (flag === "x") readPax(content, pax);
    else if (flag === "L") pax.set("path", content.subarray(0, content.indexOf(0)));
    else if (flag === "K") pax.set("linkpath", content.subarray(0, content.indexOf(0)));
    else {
      yield { entry: entryOf(header, flag, pax, content), content };
      pax.clear();
    }
  }
}

function octal(header: Buffer, offset: number, length: number): number {
  return Number.parseInt(`0${text(header, offset, length).trim()}`, 8);
}

function text(header: Buffer, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString("latin1");
}

function paxText(pax: ReadonlyMap<string, Buffer>, name: string): string | undefined {
  return pax.get(name)?.toString("latin1");
}

function readPax(content: Buffer, pax: Map<string, Buffer>): void {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(" ", at);
    const length = Number(content.subarray(at, space).toString("latin1"));
    const equals = content.indexOf("=", space);
    pax.set(
      content.subarray(space + 1, equals).toString("latin1"),
      content.subarray(equals + 1, at + length - 1),
    );
    at += length;
  }
}

function entryOf(
  header: Buffer,
  flag: string,
  pax: ReadonlyMap<string, Buffer>,
  content: Buffer,
): LayerEntry {
  const prefix = text(header, 257, 6) === "ustar" ? text(header, 345, 155) : "";
  const name = text(header, 0, 100);
  const path = tidy(paxText(pax, "path") ?? (prefix ? `${prefix}/${name}` : name));
  const target = paxText(pax, "linkpath") ?? text(header, 157, 100);
  const [seconds = "0", fraction = ""] = (
    paxText(pax, "mtime") ?? String(octal(header, 136, 12))
  ).split(".");
  const base = {
    path,
    mode: octal(header, 100, 8) & 0o7777,
    uid: Number(paxText(pax, "uid") ?? octal(header, 108, 8)),
    gid: Number(paxText(pax, "gid") ?? octal(header, 116, 8)),
    mtime: Number(seconds),
    mtimeNanoseconds: Number(fraction.padEnd(9, "0").slice(0, 9)),
    xattrs: new Map(
      [...pax].flatMap(([key, value]) =>
        key.startsWith("SCHILY.xattr.") ? [[key.slice(13), new Uint8Array(value)] as const] : [],
      ),
    ),
  };
  switch (flag) {
    case "1":
      return { ...base, type: "hardlink", target: tidy(target) };
    case "2":
      return { ...base, type: "symlink", target };
    case "3":
    case "4":
      return {
        ...base,
        type: flag === "3" ? "character" : "block",
        major: octal(header, 329, 8),
        minor: octal(header, 337, 8),
      };
    case "5":
      return { ...base, type: "directory" };
    case "6":
      return { ...base, type: "fifo" };
    default:
      return { ...base, type: "file", size: content.length, data: [] };
  }
}

function tidy(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** Makes a layer of tar members: the content of files goes, block by block, to the file `dataPath`. */
export function layerOf(members: Iterable<TarMember>, dataPath: string, name = dataPath): Layer {
  const fd = openSync(dataPath, "w");
  const entries: LayerEntry[] = [];
  let dataLength = 0;
  for (const { entry, content } of members) {
    if (entry.type === "file" && entry.data.length === 0 && content.length > 0) {
      writeSync(fd, content, 0, content.length, dataLength);
      entries.push({
        ...entry,
        size: content.length,
        data: [{ fileOffset: 0, dataOffset: dataLength, length: content.length }],
      });
      dataLength += Math.ceil(content.length / BLOCK) * BLOCK;
    } else entries.push(entry);
  }
  ftruncateSync(fd, dataLength);
  closeSync(fd);
  return {
    diffId: `sha256:${createHash("sha256").update(name).digest("hex")}`,
    dataPath,
    dataLength,
    entries,
  };
}

/** Writes a joined disk out as one sparse file. */
export function joinToFile(extents: readonly Extent[], path: string): void {
  const out = openSync(path, "w");
  let position = 0;
  for (const extent of extents) {
    if (extent.kind === "file") copyRun(extent, out, position);
    position += extent.length;
  }
  ftruncateSync(out, position);
  closeSync(out);
}

function copyRun(extent: Extent & { readonly kind: "file" }, out: number, position: number): void {
  const source = openSync(extent.path, "r");
  const buffer = Buffer.alloc(1024 * 1024);
  for (let done = 0; done < extent.length; ) {
    const length = Math.min(buffer.length, extent.length - done);
    const read = readSync(source, buffer, 0, length, extent.offset + done);
    if (read === 0) throw new Error(`${extent.path} ends before ${extent.length} bytes`);
    writeSync(out, buffer, 0, read, position + done);
    done += read;
  }
  closeSync(source);
}

/** Path to a line that shows a file as `stat`, `sha256sum` and `getfattr` would. */
export type Snapshot = Map<string, string>;

/** What a line of a snapshot is made of. */
export interface SnapshotFile {
  readonly type: LayerEntry["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** in `bytes`; that of folders is their file system's own affair */
  readonly size: number;
  readonly links: number;
  readonly xattrs: string;
  /** digest of a file, target of a link, number of a device */
  readonly content: string;
}

export function snapshotLine(file: SnapshotFile): string {
  const { type, mode, uid, gid, size, links, xattrs, content } = file;
  const length = type === "file" || type === "symlink" ? size : 0;
  return [type, mode.toString(8), `${uid}:${gid}`, length, links, xattrs, content].join(" ");
}

/** Snapshots a folder of the host: type, mode, owner, size, digest, attributes, link count of each file. */
export function snapshotFolder(root: string): Snapshot {
  const attributes = attributesBelow(root);
  const seen: Snapshot = new Map();
  const visit = (path: string) => {
    const full = Buffer.from(path === "" ? root : `${root}/${path}`, "latin1");
    const stats = lstatSync(full);
    const type = typeOf(stats);
    const { uid, gid, size, nlink: links } = stats;
    const mode = stats.mode & 0o7777;
    const xattrs = attributes.get(path) ?? showXattrs(new Map());
    const content = contentOf(full, type, stats.rdev);
    seen.set(path, snapshotLine({ type, mode, uid, gid, size, links, xattrs, content }));
    if (type !== "directory") return;
    for (const name of readdirSync(full, { encoding: "latin1" })) {
      visit(path === "" ? name : `${path}/${name}`);
    }
  };
  visit("");
  return seen;
}

/** Extended attributes by path, as GNU tar reads them. */
function attributesBelow(root: string): Map<string, string> {
  const options = ["--format=pax", "--xattrs", "--xattrs-include=*", "--numeric-owner"];
  const tar = execFileSync("tar", ["-c", ...options, "-C", root, "."], {
    maxBuffer: 2 ** 30,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const attributes = new Map<string, string>();
  for (const { entry } of readTar(tar)) {
    const first = entry.type === "hardlink" ? attributes.get(entry.target) : undefined;
    attributes.set(entry.path, first ?? showXattrs(entry.xattrs));
  }
  return attributes;
}

function typeOf(stats: Stats): LayerEntry["type"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isCharacterDevice()) return "character";
  if (stats.isBlockDevice()) return "block";
  return stats.isFIFO() ? "fifo" : "socket";
}

function contentOf(path: Buffer, type: LayerEntry["type"], rdev: number): string {
  if (type === "file") return sha256(readFileSync(path));
  if (type === "symlink") return readlinkSync(path, "latin1");
  // gnu_dev_major() and gnu_dev_minor() of glibc, for numbers that Linux uses.
  if (type === "character" || type === "block") {
    return `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
  }
  return "";
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Attributes by name; long values by their digest. */
export function showXattrs(xattrs: ReadonlyMap<string, Uint8Array>): string {
  const shown = [...xattrs].map(([name, value]) => {
    return `${name}=${value.length > 64 ? sha256(value) : Buffer.from(value).toString("hex")}`;
  });
  return `{${shown.sort().join(",")}}`;
}
