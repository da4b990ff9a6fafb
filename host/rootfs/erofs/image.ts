/** Writes the metadata of an EROFS image as planned: one pass, front to back, through one small buffer. */

import type { TreeNode } from "../tree.ts";
import { BlockBuffer } from "./block-buffer.ts";
import { crc32c } from "./crc32c.ts";
import { blockEnd, type DirentTarget, writeDirents } from "./directory.ts";
import {
  EROFS_BLKSIZ,
  EROFS_BLKSZBITS,
  EROFS_BLOCK_MAP_ENTRY_SIZE,
  EROFS_FEATURE_COMPAT_MTIME,
  EROFS_FEATURE_COMPAT_SB_CHKSUM,
  EROFS_FEATURE_INCOMPAT_CHUNKED_FILE,
  EROFS_I_DATALAYOUT_BIT,
  EROFS_I_VERSION_BIT,
  EROFS_SLOT_SIZE,
  EROFS_SUPER_MAGIC_V1,
  EROFS_SUPER_OFFSET,
  erofs_inode_compact,
  erofs_inode_extended,
  erofs_super_block,
  erofs_xattr_ibody_header,
  FILE_TYPES,
} from "./erofs-fs.ts";
import { chunkBlocks } from "./file-map.ts";
import type { ErofsPlan, InodePlan } from "./plan.ts";

export interface ErofsImageOptions {
  /** first disk block of each layer's data, by layer index */
  readonly layerBlocks: readonly number[];
  /** blocks of the whole disk, data included */
  readonly totalBlocks: number;
  /** 16 bytes */
  readonly uuid: Uint8Array;
}

/** Yields the metadata in pieces; each is valid until the next is asked for. */
export function* writeErofs(plan: ErofsPlan, options: ErofsImageOptions): Generator<Uint8Array> {
  const buffer = new BlockBuffer();
  let first = true;
  for (const _ of pieces(plan, options, buffer)) {
    if (!buffer.nearlyFull) continue;
    if (first) writeSuperBlock(plan, options, buffer);
    first = false;
    yield buffer.filled;
    buffer.empty();
  }
  if (first) writeSuperBlock(plan, options, buffer);
  yield buffer.filled;
}

/** Writes everything but the superblock; stops wherever the buffer may be emptied. */
function* pieces(
  plan: ErofsPlan,
  options: ErofsImageOptions,
  buffer: BlockBuffer,
): Generator<void> {
  for (const [row, inode] of plan.inodes.entries()) {
    buffer.skipTo(inode.nid * EROFS_SLOT_SIZE);
    writeInode(buffer, plan, inode, { ino: row + 1, ...options });
    if (inode.map?.kind === "chunked") yield* writeChunks(buffer, inode, options);
    yield;
  }
  if (plan.xattrBlock > 0) {
    buffer.skipTo(plan.xattrBlock * EROFS_BLKSIZ);
    yield* plan.xattrs.writeShared(buffer);
  }
  for (const inode of plan.inodes) {
    if (inode.ownBlock === 0) continue;
    buffer.skipTo(inode.ownBlock * EROFS_BLKSIZ);
    yield* writeOwnBlocks(buffer, plan, inode);
  }
  buffer.skipTo(plan.metadataBlocks * EROFS_BLKSIZ);
}

/** `struct erofs_super_block`, once the rest of its block is there: the checksum covers it. */
function writeSuperBlock(
  plan: ErofsPlan,
  { totalBlocks, uuid }: ErofsImageOptions,
  { bytes, view }: BlockBuffer,
): void {
  const set = (offset: number, value: number) =>
    view.setUint32(EROFS_SUPER_OFFSET + offset, value, true);
  const at = erofs_super_block;
  const chunked = plan.inodes.some(({ map }) => map?.kind === "chunked");
  set(at.magic, EROFS_SUPER_MAGIC_V1);
  set(at.feature_compat, EROFS_FEATURE_COMPAT_SB_CHKSUM | EROFS_FEATURE_COMPAT_MTIME);
  view.setUint8(EROFS_SUPER_OFFSET + at.blkszbits, EROFS_BLKSZBITS);
  view.setUint16(EROFS_SUPER_OFFSET + at.root_nid, plan.inodes[0]?.nid ?? 0, true);
  set(at.inos, plan.inodes.length);
  set(at.build_time, plan.buildTime.mtime >>> 0);
  set(at.build_time + 4, Math.floor(plan.buildTime.mtime / 2 ** 32) >>> 0);
  set(at.build_time_nsec, plan.buildTime.mtimeNanoseconds);
  set(at.blocks, totalBlocks);
  set(at.xattr_blkaddr, plan.xattrBlock);
  bytes.set(uuid.subarray(0, 16), EROFS_SUPER_OFFSET + at.uuid);
  set(at.feature_incompat, chunked ? EROFS_FEATURE_INCOMPAT_CHUNKED_FILE : 0);
  set(at.checksum, crc32c(0xffff_ffff, bytes.subarray(EROFS_SUPER_OFFSET, EROFS_BLKSIZ)));
}

function writeInode(
  buffer: BlockBuffer,
  plan: ErofsPlan,
  inode: InodePlan,
  options: ErofsImageOptions & { readonly ino: number },
): void {
  const { view } = buffer;
  const { ibody, extended } = inode;
  const { node, links } = inode.row;
  const { attributes } = node;
  const form = extended ? erofs_inode_extended : erofs_inode_compact;
  const at = buffer.reserve(form.sizeof);
  const format =
    (Number(extended) << EROFS_I_VERSION_BIT) | (inode.layout << EROFS_I_DATALAYOUT_BIT);
  const count = ibody === undefined ? 0 : (ibody.size - erofs_xattr_ibody_header.sizeof) / 4 + 1;
  // Linux shows every link as 0777, whatever its entry says.
  const permissions = node.type === "symlink" ? 0o777 : attributes.mode & 0o7777;
  view.setUint16(at + form.i_format, format, true);
  view.setUint16(at + form.i_xattr_icount, count, true);
  view.setUint16(at + form.i_mode, FILE_TYPES[node.type].S_IF | permissions, true);
  view.setUint32(at + form.i_u, unionOf(inode, options.layerBlocks), true);
  view.setUint32(at + form.i_ino, options.ino, true);
  if (extended) {
    const wide = erofs_inode_extended;
    buffer.uint64(at + wide.i_size, inode.size);
    view.setUint32(at + wide.i_uid, attributes.uid, true);
    view.setUint32(at + wide.i_gid, attributes.gid, true);
    buffer.uint64(at + wide.i_mtime, attributes.mtime);
    view.setUint32(at + wide.i_mtime_nsec, attributes.mtimeNanoseconds, true);
    view.setUint32(at + wide.i_nlink, links, true);
  } else {
    const narrow = erofs_inode_compact;
    view.setUint32(at + narrow.i_size, inode.size, true);
    view.setUint16(at + narrow.i_uid, attributes.uid, true);
    view.setUint16(at + narrow.i_gid, attributes.gid, true);
    view.setUint16(at + narrow.i_nlink, links, true);
  }
  if (ibody !== undefined) plan.xattrs.writeIbody(buffer, buffer.reserve(ibody.size), ibody);
  if (inode.map === undefined && inode.tail > 0) writeTail(buffer, plan, inode);
}

/** `union erofs_inode_i_u` */
function unionOf({ row, map, ownBlock }: InodePlan, layerBlocks: readonly number[]): number {
  const { node } = row;
  if (node.type === "character" || node.type === "block") {
    // new_encode_dev() in Linux 6.1 include/linux/kdev_t.h
    return ((node.minor & 0xff) | (node.major << 8) | ((node.minor & ~0xff) << 12)) >>> 0;
  }
  if (node.type === "file" && map?.kind === "flat") {
    return (layerBlocks[node.layer] ?? 0) + map.dataBlock;
  }
  return map?.kind === "chunked" ? map.bits : ownBlock;
}

/** The end of a folder or a whole link target, behind the inode. */
function writeTail(buffer: BlockBuffer, plan: ErofsPlan, inode: InodePlan): void {
  const at = buffer.reserve(inode.tail);
  if (inode.row.node.type === "symlink") {
    buffer.text(at, inode.row.node.target);
    return;
  }
  const names = inode.row.names ?? [];
  let first = 0;
  let end = blockEnd(names, first);
  while (end < names.length) {
    first = end;
    end = blockEnd(names, first);
  }
  writeDirents(buffer, at, names, { first, end }, targets(plan, inode));
}

function* writeChunks(
  buffer: BlockBuffer,
  { row, map }: InodePlan,
  { layerBlocks }: ErofsImageOptions,
): Generator<void> {
  const { node } = row;
  if (node.type !== "file" || map?.kind !== "chunked") return;
  for (const block of chunkBlocks(map, layerBlocks[node.layer] ?? 0)) {
    buffer.view.setUint32(buffer.reserve(EROFS_BLOCK_MAP_ENTRY_SIZE), block, true);
    yield;
  }
}

/** The whole blocks of a folder or of a link target that did not fit behind its inode. */
function* writeOwnBlocks(buffer: BlockBuffer, plan: ErofsPlan, inode: InodePlan): Generator<void> {
  if (inode.row.node.type === "symlink") {
    buffer.text(buffer.reserve(EROFS_BLKSIZ), inode.row.node.target);
    yield;
    return;
  }
  const names = inode.row.names ?? [];
  const targetOf = targets(plan, inode);
  const blocks = Math.ceil((inode.size - inode.tail) / EROFS_BLKSIZ);
  let first = 0;
  for (let block = 0; block < blocks; block += 1) {
    const end = blockEnd(names, first);
    writeDirents(buffer, buffer.reserve(EROFS_BLKSIZ), names, { first, end }, targetOf);
    first = end;
    yield;
  }
}

function targets(plan: ErofsPlan, folder: InodePlan): (name: string) => DirentTarget {
  const children = folder.row.node.type === "directory" ? folder.row.node.children : undefined;
  const target = (row: number): DirentTarget => {
    const inode = plan.inodes[row];
    return { nid: inode?.nid ?? 0, fileType: inode ? FILE_TYPES[inode.row.node.type].FT : 0 };
  };
  const self = (node: TreeNode) => plan.rowOf.get(node) ?? 0;
  return (name) => {
    if (name === ".") return target(self(folder.row.node));
    if (name === "..") return target(folder.row.parent);
    const child = children?.get(name);
    return target(child === undefined ? 0 : self(child));
  };
}
