/** Lays out the metadata of an EROFS image: where each inode and each folder's blocks go, before a byte is written. */

import { rootfsError } from "../errors.ts";
import type { Attributes, DirectoryNode, TreeNode } from "../tree.ts";
import { direntsSize } from "./directory.ts";
import {
  EROFS_BLKSIZ,
  EROFS_BLOCK_MAP_ENTRY_SIZE,
  EROFS_INODE_CHUNK_BASED,
  EROFS_INODE_FLAT_INLINE,
  EROFS_INODE_FLAT_PLAIN,
  EROFS_SLOT_SIZE,
  EROFS_SUPER_OFFSET,
  erofs_inode_compact,
  erofs_inode_extended,
  erofs_super_block,
} from "./erofs-fs.ts";
import { type FileMap, mapFile } from "./file-map.ts";
import { type InodeTable, numberInodes, type TableRow } from "./inode-table.ts";
import { type Ibody, XattrPlan } from "./xattr.ts";

/** Largest metadata of one image, in `bytes`. */
const MAX_METADATA = 2 ** 30;
/** Longest end of a folder that is kept behind its inode, in `bytes`: longer ones would leave too many gaps. */
const MAX_FOLDER_TAIL = EROFS_BLKSIZ / 2;

/** Where and how one inode is written. */
export interface InodePlan {
  readonly row: TableRow;
  /** whether it takes the 64-byte form */
  readonly extended: boolean;
  /** `EROFS_INODE_*` data layout */
  readonly layout: number;
  /** `i_size`, in `bytes` */
  readonly size: number;
  readonly ibody: Ibody | undefined;
  /** inode and attributes, in `bytes` */
  readonly head: number;
  /** `bytes` that stand behind them */
  readonly tail: number;
  /** number of blocks of its own, for folders and long links */
  readonly ownBlocks: number;
  /** content of a regular file */
  readonly map: FileMap | undefined;
  /** place in the image, in units of 32 `bytes`; 0 until it has one */
  nid: number;
  /** first block of its own in the image; 0 for none */
  ownBlock: number;
}

export interface ErofsPlan {
  readonly inodes: readonly InodePlan[];
  readonly rowOf: ReadonlyMap<TreeNode, number>;
  readonly xattrs: XattrPlan;
  /** block of the shared attributes; 0 for none */
  readonly xattrBlock: number;
  /** blocks of metadata; the layers' data starts behind them */
  readonly metadataBlocks: number;
  /** the time that compact inodes share */
  readonly buildTime: Pick<Attributes, "mtime" | "mtimeNanoseconds">;
}

/**
 * Plans an image: superblock, then inodes with their attributes and tails, then shared attributes, then blocks
 * of folders.
 *
 * @throws ROOTFS_TOO_LARGE, ROOTFS_BAD_DATA, ROOTFS_BAD_ENTRY
 */
export function planErofs(root: DirectoryNode): ErofsPlan {
  const table = numberInodes(root);
  const buildTime = commonestTime(table);
  const xattrs = new XattrPlan();
  for (const { node } of table.rows) xattrs.add(node.attributes);

  const inodes = table.rows.map((row) => shapeOf(row, xattrs, buildTime));
  const end = placeInodes(inodes);
  const xattrBlock = Math.ceil(end / EROFS_BLKSIZ);
  const firstOwnBlock = xattrBlock + Math.ceil(xattrs.sharedSize / EROFS_BLKSIZ);
  const metadataBlocks = placeOwnBlocks(inodes, firstOwnBlock);
  if (metadataBlocks * EROFS_BLKSIZ > MAX_METADATA) {
    throw rootfsError(
      "ROOTFS_TOO_LARGE",
      `metadata of the image would take ${metadataBlocks * EROFS_BLKSIZ} bytes`,
    );
  }

  return {
    inodes,
    rowOf: table.rowOf,
    xattrs,
    xattrBlock: xattrs.sharedSize > 0 ? xattrBlock : 0,
    metadataBlocks,
    buildTime,
  };
}

/** Gives each inode its place; returns where the last one ends. */
function placeInodes(inodes: readonly InodePlan[]): number {
  let end = EROFS_SUPER_OFFSET + erofs_super_block.sizeof;
  for (const inode of inodes) {
    const place = placeOf(inode, end);
    inode.nid = place / EROFS_SLOT_SIZE;
    end = place + inode.head + inode.tail;
  }
  return end;
}

/** Gives blocks of their own to the inodes that need some; returns the block after the last. */
function placeOwnBlocks(inodes: readonly InodePlan[], first: number): number {
  let next = first;
  for (const inode of inodes) {
    if (inode.ownBlocks > 0) inode.ownBlock = next;
    next += inode.ownBlocks;
  }
  return next;
}

/** The modification time that most inodes have: those need no field for it. Of equals the first found. */
function commonestTime(table: InodeTable): Pick<Attributes, "mtime" | "mtimeNanoseconds"> {
  const counts = new Map<string | number, number>();
  let best: Pick<Attributes, "mtime" | "mtimeNanoseconds"> = { mtime: 0, mtimeNanoseconds: 0 };
  let bestCount = 0;
  for (const { node } of table.rows) {
    const { mtime, mtimeNanoseconds } = node.attributes;
    const key = mtimeNanoseconds === 0 ? mtime : `${mtime}.${mtimeNanoseconds}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count > bestCount) {
      bestCount = count;
      best = { mtime, mtimeNanoseconds };
    }
  }
  return best;
}

function shapeOf(
  row: TableRow,
  xattrs: XattrPlan,
  buildTime: Pick<Attributes, "mtime" | "mtimeNanoseconds">,
): InodePlan {
  const { node } = row;
  const ibody = xattrs.ibody(node.attributes);
  const size = sizeOf(row);
  const extended = needsExtended(row, size, buildTime);
  const inode = extended ? erofs_inode_extended.sizeof : erofs_inode_compact.sizeof;
  const head = inode + (ibody?.size ?? 0);
  const base = { row, extended, size, ibody, head, nid: 0, ownBlock: 0 };
  if (node.type === "file") {
    const map = mapFile(node);
    const chunks = map.kind === "chunked" ? map.count : 0;
    const layout = map.kind === "chunked" ? EROFS_INODE_CHUNK_BASED : EROFS_INODE_FLAT_PLAIN;
    return { ...base, layout, tail: chunks * EROFS_BLOCK_MAP_ENTRY_SIZE, ownBlocks: 0, map };
  }
  const tail = size % EROFS_BLKSIZ;
  const longest = node.type === "directory" ? MAX_FOLDER_TAIL : EROFS_BLKSIZ;
  // The attributes of an inode may end anywhere, but a tail must not cross a block (fs/erofs/data.c).
  const fits = tail > 0 && tail <= longest && head + tail <= EROFS_BLKSIZ;
  const layout = fits ? EROFS_INODE_FLAT_INLINE : EROFS_INODE_FLAT_PLAIN;
  const ownBlocks = fits ? Math.floor(size / EROFS_BLKSIZ) : Math.ceil(size / EROFS_BLKSIZ);
  return { ...base, layout, tail: fits ? tail : 0, ownBlocks, map: undefined };
}

function sizeOf({ node, names }: TableRow): number {
  if (node.type === "file") return node.size;
  if (node.type === "directory") return direntsSize(names ?? []);
  return node.type === "symlink" ? node.target.length : 0;
}

function needsExtended(
  { node, links }: TableRow,
  size: number,
  buildTime: Pick<Attributes, "mtime" | "mtimeNanoseconds">,
): boolean {
  const { mtime, mtimeNanoseconds, uid, gid } = node.attributes;
  return (
    mtime !== buildTime.mtime ||
    mtimeNanoseconds !== buildTime.mtimeNanoseconds ||
    uid > 0xffff ||
    gid > 0xffff ||
    links > 0xffff ||
    size > 0xffff_ffff
  );
}

/** The next place from `end` on where neither the inode itself nor an inline tail crosses a block. */
function placeOf(shape: InodePlan, end: number): number {
  const place = Math.ceil(end / EROFS_SLOT_SIZE) * EROFS_SLOT_SIZE;
  const room = EROFS_BLKSIZ - (place % EROFS_BLKSIZ);
  const inode = shape.extended ? erofs_inode_extended.sizeof : erofs_inode_compact.sizeof;
  const whole = shape.layout === EROFS_INODE_FLAT_INLINE ? shape.head + shape.tail : inode;
  return whole > room ? place + room : place;
}
