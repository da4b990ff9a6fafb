/** A tar archive as a tree of files: its members are found where they stand; a compressed one is decompressed once, into one unnamed file. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { imageError } from "../errors.ts";
import { blobChunks, type FileRange } from "../layer/blob-input.ts";
import { decompress, detectCompression } from "../layer/compression.ts";
import { cleanEntryPath } from "../layer/entry-path.ts";
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from "../layer/limits.ts";
import type { TarMember } from "../layer/tar-member.ts";
import { TarReader } from "../layer/tar-reader.ts";
import type { FileTree } from "./file-tree.ts";

/** Most members of an archive of images. */
const MAX_MEMBERS = 100_000;
/** Length of a read while headers are looked for, in `bytes`. */
const READ_BYTES = 64 * 1024;
/** Longest chain of symbolic links followed; old archives have links of one step. */
const MAX_LINKS = 8;
/** Limits of an archive as a whole: it holds layers, which have their own. */
const ARCHIVE_LIMITS: LayerLimits = { ...DEFAULT_LAYER_LIMITS, unpacked: 256 * 1024 ** 3 };

type Member = { readonly range: FileRange } | { readonly link: string };

/**
 * Opens an archive, packed or not.
 * @param spoolFolder folder on whose file system a packed one is unpacked, for as long as the tree is open
 * @throws SOURCE_UNREADABLE, LAYER_CORRUPT, LAYER_LIMIT_EXCEEDED
 */
export async function openArchiveTree(path: string, spoolFolder: string): Promise<FileTree> {
  const whole = await wholeFile(path);
  const spool = (await isCompressed(whole)) ? await unpack(whole, spoolFolder) : undefined;
  const close = async (): Promise<void> => {
    await spool?.handle.close();
  };
  try {
    const members = await indexMembers(spool?.range ?? whole);
    return {
      name: path,
      locate: (file) => Promise.resolve(locate(members, file)),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function wholeFile(path: string): Promise<FileRange> {
  const found = await stat(path).catch((cause: unknown) => {
    throw imageError("SOURCE_UNREADABLE", `cannot read ${path}`, { cause });
  });
  if (!found.isFile()) throw imageError("SOURCE_UNREADABLE", `not a file: ${path}`);
  return { kind: "range", path, offset: 0, length: found.size };
}

async function isCompressed(file: FileRange): Promise<boolean> {
  await using handle = await open(file.path, "r");
  const head = Buffer.alloc(4);
  await handle.read(head, 0, head.length, 0);
  return detectCompression(head) !== "none";
}

/** Unpacks into a file that loses its name at once: the store's cleaners can take it for left over, and do no harm. */
async function unpack(
  file: FileRange,
  spoolFolder: string,
): Promise<{ readonly handle: FileHandle; readonly range: FileRange }> {
  const name = join(spoolFolder, `archive-${randomBytes(8).toString("hex")}`);
  const handle = await open(name, "wx+", 0o600);
  try {
    await rm(name, { force: true });
    let length = 0;
    for await (const chunk of decompress(blobChunks(file))) {
      length += chunk.length;
      refuseBomb(length, file.length);
      await handle.writeFile(chunk);
    }
    // Any thread of this process can open it by this path, for as long as the handle is open.
    const path = `/proc/self/fd/${handle.fd}`;
    return { handle, range: { kind: "range", path, offset: 0, length } };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function refuseBomb(length: number, packed: number): void {
  const { unpacked, ratio, ratioFrom } = ARCHIVE_LIMITS;
  if (length <= unpacked && (length <= ratioFrom || length <= packed * ratio)) return;
  throw imageError(
    "LAYER_LIMIT_EXCEEDED",
    `archive of ${packed} bytes unpacks to more than ${length}`,
  );
}

/** Reads the headers and skips over the data. */
async function indexMembers(file: FileRange): Promise<ReadonlyMap<string, Member>> {
  const members = new Map<string, Member>();
  let position = 0;
  const reader = new TarReader(
    {
      member: (member) => {
        if (members.size >= MAX_MEMBERS)
          throw imageError("LAYER_LIMIT_EXCEEDED", `archive of more than ${MAX_MEMBERS} members`);
        addMember(members, member, { ...file, offset: position, length: member.stored });
      },
      data: (bytes) => {
        position += bytes.length;
      },
      memberEnd: () => undefined,
      literal: (bytes) => {
        position += bytes.length;
      },
    },
    ARCHIVE_LIMITS,
  );
  await using handle = await open(file.path, "r");
  await pushHeaders(reader, {
    handle,
    length: file.length,
    skipped: (bytes) => (position += bytes),
  });
  return members;
}

interface Push {
  readonly handle: FileHandle;
  readonly length: number;
  readonly skipped: (bytes: number) => void;
}

async function pushHeaders(reader: TarReader, { handle, length, skipped }: Push): Promise<void> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    reader.push(buffer.subarray(0, bytesRead));
    at += bytesRead;
    // Data that is not read must at least be there, or a cut archive would pass for a whole one.
    if (reader.skippable > length - at) break;
    at += reader.skippable;
    skipped(reader.skippable);
    reader.skip();
  }
  reader.end();
}

function addMember(members: Map<string, Member>, member: TarMember, range: FileRange): void {
  const path = cleanEntryPath(member.name);
  if (member.type === "0" && member.segments === undefined) members.set(path, { range });
  else if (member.type === "1") {
    const target = members.get(cleanEntryPath(member.linkName));
    if (target !== undefined) members.set(path, target);
  } else if (member.type === "2")
    // Old `docker save` links a layer that occurs twice to its first place.
    members.set(path, { link: posix.join(posix.dirname(path), member.linkName) });
}

function locate(members: ReadonlyMap<string, Member>, file: string): FileRange | undefined {
  let path = posix.normalize(file).replace(/^(?:\.?\/)+/, "");
  for (let n = 0; n <= MAX_LINKS; n++) {
    const member = members.get(path);
    if (member === undefined) return undefined;
    if ("range" in member) return member.range;
    path = member.link;
  }
  return undefined;
}
