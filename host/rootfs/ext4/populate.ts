/**
 * Puts a tree into a file system that mkfs.ext4 has made, without mounting it and so without root: owners, attributes and
 * devices are bytes here. The tree becomes one folder of its root, for ext4 has something of its own there too.
 */

import { open } from "node:fs/promises";
import { rootfsError } from "../errors.ts";
import type { DirectoryNode, FileNode, TreeNode } from "../tree.ts";
import { DataCopy } from "./data-copy.ts";
import { type DirectoryEntry, directoryBlocks } from "./directory.ts";
import {
  BLOCK_SIZE,
  EXT4_FT,
  EXT4_LINK_MAX,
  EXT4_ROOT_INO,
  inode as field,
  I_BLOCK_SIZE,
} from "./ext4-fs.ts";
import { Ext4Volume } from "./ext4-volume.ts";
import { type Extent, takeExtents, writeExtentTree } from "./extent-tree.ts";
import { blockField, writeInode } from "./inode.ts";
import { writeXattrs } from "./xattr.ts";

export interface PopulateOptions {
  /** the formatted disk, as `makeWritableDisk` makes it with `plainGroups` */
  readonly path: string;
  readonly tree: DirectoryNode;
  /** folder of the disk's root that the tree becomes */
  readonly name: string;
  /** data file of each layer, by its index */
  readonly dataPaths: readonly string[];
}

/** @throws ROOTFS_TOO_LARGE for a tree that the disk has no room for, ROOTFS_BAD_DATA, ROOTFS_BAD_ENTRY */
export async function populateExt4({
  path,
  tree,
  name,
  dataPaths,
}: PopulateOptions): Promise<void> {
  await using file = await open(path, "r+");
  const volume = await Ext4Volume.open(file);
  await using data = new DataCopy(file);
  const inodes = numberInodes(volume, tree);
  for (const [node, { number, links, parent }] of inodes) {
    const place = { volume, data, dataPaths, inodes };
    writeNode(place, node, { number, links, parent });
    if (volume.hasMuchToWrite || data.hasMuchToCopy) {
      await data.copy();
      await volume.write();
    }
  }
  addToRoot(volume, { name, inode: inodes.get(tree)?.number ?? 0 });
  await data.copy();
  await volume.write();
}

interface Numbered {
  readonly number: number;
  /** names that it has */
  links: number;
  /** number of the folder that it is in */
  readonly parent: number;
}

interface Place {
  readonly volume: Ext4Volume;
  readonly data: DataCopy;
  readonly dataPaths: readonly string[];
  readonly inodes: ReadonlyMap<TreeNode, Numbered>;
}

/** A folder's inodes lie side by side. */
function numberInodes(volume: Ext4Volume, tree: DirectoryNode): Map<TreeNode, Numbered> {
  const inodes = new Map<TreeNode, Numbered>();
  inodes.set(tree, { number: volume.takeInode(true), links: 2, parent: EXT4_ROOT_INO });
  const folders: DirectoryNode[] = [tree];
  for (const folder of folders) {
    const own = inodes.get(folder);
    if (own === undefined) continue;
    for (const child of folder.children.values()) {
      const known = inodes.get(child);
      if (known !== undefined) {
        known.links++;
        if (known.links > EXT4_LINK_MAX) throw tooManyNames();
        continue;
      }
      const isFolder = child.type === "directory";
      const number = volume.takeInode(isFolder);
      inodes.set(child, { number, links: isFolder ? 2 : 1, parent: own.number });
      if (!isFolder) continue;
      own.links++;
      folders.push(child);
    }
  }
  return inodes;
}

function tooManyNames(): Error {
  return rootfsError("ROOTFS_TOO_LARGE", `the image has a file of over ${EXT4_LINK_MAX} names`, {
    hint: "an ext4 disk cannot hold it: take another storage driver, such as overlay",
  });
}

function writeNode(place: Place, node: TreeNode, { number, links, parent }: Numbered): void {
  const { volume } = place;
  const inode = volume.inode(number);
  inode.fill(0);
  const { size, blocks, hasExtents } = writeContent(place, node, { inode, number, parent });
  const xattrs = writeXattrs(node.attributes.xattrs, inode);
  const xattrBlock = xattrs === undefined ? 0 : writeBlock(volume, xattrs);
  writeInode(inode, {
    type: node.type,
    attributes: node.attributes,
    size,
    links,
    blocks: blocks + (xattrs === undefined ? 0 : 1),
    xattrBlock,
    hasExtents,
  });
}

interface Written {
  readonly size: number;
  readonly blocks: number;
  readonly hasExtents: boolean;
}

function writeContent(
  place: Place,
  node: TreeNode,
  { inode, number, parent }: { readonly inode: Buffer; number: number; parent: number },
): Written {
  const i_block = blockField(inode);
  switch (node.type) {
    case "file":
      return writeFile(place, node, i_block);
    case "directory": {
      const entries = entriesOf(node, { number, parent, inodes: place.inodes });
      return writeWhole(place.volume, directoryBlocks(entries), i_block);
    }
    case "symlink": {
      const target = Buffer.from(node.target, "latin1");
      if (target.length >= I_BLOCK_SIZE) {
        const block = Buffer.alloc(BLOCK_SIZE);
        target.copy(block);
        return { ...writeWhole(place.volume, [block], i_block), size: target.length };
      }
      target.copy(i_block);
      return { size: target.length, blocks: 0, hasExtents: false };
    }
    case "character":
    case "block":
      writeDevice(i_block, node);
      return { size: 0, blocks: 0, hasExtents: false };
    case "fifo":
    case "socket":
      return { size: 0, blocks: 0, hasExtents: false };
  }
}

/** Its runs of data; what lies between them stays a hole. */
function writeFile({ volume, data, dataPaths }: Place, node: FileNode, i_block: Buffer): Written {
  const path = dataPaths[node.layer] ?? "";
  const extents: Extent[] = [];
  let end = 0;
  for (const { fileOffset, dataOffset, length } of node.data) {
    const first = fileOffset / BLOCK_SIZE;
    const count = Math.ceil(length / BLOCK_SIZE);
    if (!Number.isInteger(first) || first < end || fileOffset + length > node.size) {
      throw rootfsError("ROOTFS_BAD_DATA", `run of ${length} bytes at ${fileOffset} of a file`);
    }
    end = first + count;
    for (const extent of takeExtents(volume, first, count)) {
      const from = dataOffset + (extent.block - first) * BLOCK_SIZE;
      data.add({ path, from, to: extent.start, blocks: extent.count });
      extents.push(extent);
    }
  }
  const joined = joinNeighbours(extents);
  const blocks = joined.reduce((sum, { count }) => sum + count, 0);
  return {
    size: node.size,
    blocks: blocks + writeExtentTree(volume, joined, i_block),
    hasExtents: true,
  };
}

/** EXT_INIT_MAX_LEN holds: each run was taken by itself, and only whole short ones are joined. */
function joinNeighbours(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    const follows =
      last !== undefined &&
      last.block + last.count === extent.block &&
      last.start + last.count === extent.start &&
      last.count + extent.count <= 32768;
    if (follows) joined.splice(-1, 1, { ...last, count: last.count + extent.count });
    else joined.push(extent);
  }
  return joined;
}

function* entriesOf(
  folder: DirectoryNode,
  {
    number,
    parent,
    inodes,
  }: {
    readonly number: number;
    readonly parent: number;
    readonly inodes: ReadonlyMap<TreeNode, Numbered>;
  },
): Generator<DirectoryEntry> {
  yield { name: ".", inode: number, fileType: EXT4_FT.directory };
  yield { name: "..", inode: parent, fileType: EXT4_FT.directory };
  for (const [name, node] of folder.children) {
    yield { name, inode: inodes.get(node)?.number ?? 0, fileType: EXT4_FT[node.type] };
  }
}

/** Content that is in memory. */
function writeWhole(volume: Ext4Volume, content: readonly Buffer[], i_block: Buffer): Written {
  const extents = takeExtents(volume, 0, content.length);
  for (const { block, start, count } of extents) {
    for (let index = 0; index < count; index++) {
      content[block + index]?.copy(volume.block(start + index));
    }
  }
  const blocks = content.length + writeExtentTree(volume, extents, i_block);
  return { size: content.length * BLOCK_SIZE, blocks, hasExtents: true };
}

function writeBlock(volume: Ext4Volume, content: Buffer): number {
  const { start } = volume.takeBlocks(1);
  content.copy(volume.block(start));
  return start;
}

/** old_encode_dev where that is enough, else new_encode_dev (linux/kdev_t.h). */
function writeDevice(
  i_block: Buffer,
  { major, minor }: { readonly major: number; readonly minor: number },
): void {
  if (major < 256 && minor < 256) i_block.writeUInt32LE((major << 8) | minor, 0);
  else i_block.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, 4);
}

/** The root of a file system that was just made is one block: `.`, `..` and `lost+found`. */
function addToRoot(volume: Ext4Volume, { name, inode }: { readonly name: string; inode: number }) {
  const root = volume.inode(EXT4_ROOT_INO);
  root.writeUInt16LE(root.readUInt16LE(field.i_links_count) + 1, field.i_links_count);
  const block = volume.block(firstBlock(root));
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < BLOCK_SIZE; at += block.readUInt16LE(at + 4)) {
    const end = at + 8 + (block[at + 6] ?? 0);
    entries.push({
      name: block.toString("latin1", at + 8, end),
      inode: block.readUInt32LE(at),
      fileType: block[at + 7] ?? 0,
    });
  }
  const [changed] = directoryBlocks([...entries, { name, inode, fileType: EXT4_FT.directory }]);
  changed?.copy(block);
}

/** Of a file whose first extent is in its inode. */
function firstBlock(inode: Buffer): number {
  const i_block = blockField(inode);
  return i_block.readUInt32LE(12 + 8) + i_block.readUInt16LE(12 + 6) * 2 ** 32;
}
