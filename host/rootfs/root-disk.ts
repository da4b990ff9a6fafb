/**
 * The root disk of an image: EROFS metadata made for the image, joined by extents with the data files of its
 * layers, which all images share. It is read-only, and one for all containers of the image.
 */

import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkLayers } from "./check-layers.ts";
import type { Layer } from "./entry.ts";
import { EROFS_BLKSIZ } from "./erofs/erofs-fs.ts";
import { writeErofs } from "./erofs/image.ts";
import { type ErofsPlan, planErofs } from "./erofs/plan.ts";
import { readSuperBlock } from "./erofs/super-block.ts";
import { rootfsError } from "./errors.ts";
import type { Extent } from "./extent.ts";
import { mergeLayers } from "./merge.ts";
import { addMountPoints } from "./mount-points.ts";

/** Part of every root disk's key: to be raised when the same layers would give other bytes. */
const WRITER_VERSION = 2;
/** Disks end at a multiple of this many `bytes`: whole sectors for every guest and every disk format. */
const DISK_GRANULE = 1024 * 1024;
/** Blocks that a 32-bit block address can name; the last one means a hole. */
const MAX_BLOCKS = 0xffff_ffff;

/** What a root disk needs to know of a layer once its metadata exists. */
export type LayerData = Pick<Layer, "diffId" | "dataPath" | "dataLength">;

export interface RootDisk {
  /** the whole disk, in order: metadata, layers' data, and zeros up to its end */
  readonly extents: readonly Extent[];
  /** length of the disk, in `bytes` */
  readonly bytes: number;
  /** absolute path of the file that holds the metadata */
  readonly metadataPath: string;
  /** `sha256:` and 64 hex digits over what the metadata is made from; equal for equal disks */
  readonly digest: string;
}

/**
 * Returns the root disk of layers (bottom to top), making its metadata file in `directory` unless it is there.
 * Makers may run at once: all write the same bytes, and only a whole file gets its name.
 *
 * @throws ROOTFS_* as in `errors.ts`
 */
export async function makeRootDisk(options: {
  readonly layers: readonly Layer[];
  readonly directory: string;
  /** whether to add what the agent mounts on, see `addMountPoints` */
  readonly mountPoints?: boolean;
}): Promise<RootDisk> {
  const existing = await findRootDisk(options);
  if (existing !== undefined) return existing;
  const { layers, directory } = options;
  checkLayers(layers);
  const digest = diskDigest(options);
  const tree = mergeLayers(layers);
  if (options.mountPoints === true) addMountPoints(tree);
  const plan = planErofs(tree);
  const metadataLength = plan.metadataBlocks * EROFS_BLKSIZ;
  const disk = joinDisk({
    layers,
    metadataPath: metadataPath(directory, digest),
    metadataLength,
    digest,
  });
  try {
    await mkdir(directory, { recursive: true });
    await removeAbandoned(directory);
    await writeMetadata(plan, disk, layers);
  } catch (cause) {
    throw rootfsError("ROOTFS_WRITE_FAILED", `cannot write root disk ${disk.metadataPath}`, {
      cause,
    });
  }
  return disk;
}

/**
 * Returns the root disk of layers if its metadata is there, whole; their entries are not needed for it.
 */
export async function findRootDisk(options: {
  readonly layers: readonly LayerData[];
  readonly directory: string;
  readonly mountPoints?: boolean;
}): Promise<RootDisk | undefined> {
  const { layers, directory } = options;
  const digest = diskDigest(options);
  const path = metadataPath(directory, digest);
  const found = await readMetadataHead(path);
  if (found === undefined) return undefined;
  const { metadataLength, blocks } = found;
  const disk = joinDisk({ layers, metadataPath: path, metadataLength, digest });
  return blocks === usedBlocks(disk.extents) ? disk : undefined;
}

function diskDigest(options: {
  readonly layers: readonly LayerData[];
  readonly mountPoints?: boolean;
}): string {
  const { layers, mountPoints = false } = options;
  const kind = mountPoints ? "root disk with mount points" : "root disk";
  const hash = createHash("sha256").update(`dvm ${kind} ${WRITER_VERSION}\n`);
  for (const { diffId, dataLength } of layers) hash.update(`${diffId} ${dataLength}\n`);
  return `sha256:${hash.digest("hex")}`;
}

function metadataPath(directory: string, digest: string): string {
  return join(directory, `${digest.slice("sha256:".length)}.erofs`);
}

/** Undefined where there is no file, or one that a crash of the machine left in pieces. */
async function readMetadataHead(
  path: string,
): Promise<{ metadataLength: number; blocks: number } | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw rootfsError("ROOTFS_WRITE_FAILED", `cannot read root disk ${path}`, { cause: error });
  }
  await using metadata = file;
  const block = new Uint8Array(EROFS_BLKSIZ);
  await metadata.read(block, 0, EROFS_BLKSIZ, 0);
  const superBlock = readSuperBlock(block);
  const { size } = await metadata.stat();
  return superBlock && { metadataLength: size, blocks: superBlock.blocks };
}

function joinDisk(parts: {
  readonly layers: readonly LayerData[];
  readonly metadataPath: string;
  readonly metadataLength: number;
  readonly digest: string;
}): RootDisk {
  const { metadataPath, metadataLength, digest } = parts;
  const extents: Extent[] = [
    { kind: "file", path: metadataPath, offset: 0, length: metadataLength },
  ];
  for (const { dataPath, dataLength } of distinctData(parts.layers)) {
    if (dataLength > 0)
      extents.push({ kind: "file", path: dataPath, offset: 0, length: dataLength });
  }
  const used = usedBlocks(extents) * EROFS_BLKSIZ;
  if (used / EROFS_BLKSIZ >= MAX_BLOCKS) {
    throw rootfsError("ROOTFS_TOO_LARGE", `root disk would have ${used} bytes`);
  }
  const bytes = Math.ceil(used / DISK_GRANULE) * DISK_GRANULE;
  if (bytes > used) extents.push({ kind: "zero", length: bytes - used });
  return { extents, bytes, metadataPath, digest };
}

/** An image may name a layer twice; its data is joined once. */
function distinctData(layers: readonly LayerData[]): LayerData[] {
  return [...new Map(layers.map((layer) => [layer.dataPath, layer])).values()];
}

/** Blocks of the disk without its padding: what the superblock counts. */
function usedBlocks(extents: readonly Extent[]): number {
  const files = extents.filter(({ kind }) => kind === "file");
  return files.reduce((sum, { length }) => sum + length, 0) / EROFS_BLKSIZ;
}

/** First disk block of each layer's data. */
function layerBlocks(disk: RootDisk, layers: readonly LayerData[]): number[] {
  const starts = new Map<string, number>();
  let position = 0;
  for (const extent of disk.extents) {
    if (extent.kind === "file") starts.set(extent.path, position / EROFS_BLKSIZ);
    position += extent.length;
  }
  return layers.map(({ dataPath }) => starts.get(dataPath) ?? 0);
}

async function writeMetadata(
  plan: ErofsPlan,
  disk: RootDisk,
  layers: readonly LayerData[],
): Promise<void> {
  const partial = `${disk.metadataPath}.${process.pid}.${randomBytes(6).toString("hex")}.partial`;
  try {
    await using file = await open(partial, "wx", 0o644);
    const image = writeErofs(plan, {
      layerBlocks: layerBlocks(disk, layers),
      totalBlocks: usedBlocks(disk.extents),
      uuid: uuidOf(disk.digest),
    });
    for (const piece of image) await writeAll(file, piece);
    await file.sync();
    await rename(partial, disk.metadataPath);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesWritten } = await file.write(piece, done);
    done += bytesWritten;
  }
}

/** A name-based UUID of the digest (RFC 9562 §5.8, version 8). */
function uuidOf(digest: string): Uint8Array {
  const uuid = createHash("sha256").update(digest).digest().subarray(0, 16);
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid;
}

/** Removes partial files whose makers are no more. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = /\.(\d+)\.[0-9a-f]{12}\.partial$/.exec(name)?.[1];
    if (pid === undefined) continue;
    const alive = await stat(`/proc/${pid}`).then(
      () => true,
      () => false,
    );
    if (!alive) await rm(join(directory, name), { force: true });
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
