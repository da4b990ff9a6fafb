/** A folder's blocks: entries one behind the other (struct ext4_dir_entry_2 of fs/ext4/ext4.h, Linux 6.1). */

import { BLOCK_SIZE } from "./ext4-fs.ts";

export interface DirectoryEntry {
  /** as a binary string */
  readonly name: string;
  readonly inode: number;
  /** EXT4_FT_* */
  readonly fileType: number;
}

/** Inode, lengths and type, before the name. */
const HEADER = 8;

/** The blocks of a folder with these entries, `.` and `..` among them. */
export function directoryBlocks(entries: Iterable<DirectoryEntry>): Buffer[] {
  const blocks: Buffer[] = [];
  let block = Buffer.alloc(0);
  let last = 0;
  let end = BLOCK_SIZE;
  for (const entry of entries) {
    const length = entryLength(entry);
    if (end + length > BLOCK_SIZE) {
      closeBlock(block, last);
      block = Buffer.alloc(BLOCK_SIZE);
      blocks.push(block);
      end = 0;
    }
    block.writeUInt32LE(entry.inode, end);
    block.writeUInt16LE(length, end + 4);
    block[end + 6] = entry.name.length;
    block[end + 7] = entry.fileType;
    block.write(entry.name, end + HEADER, "latin1");
    last = end;
    end += length;
  }
  closeBlock(block, last);
  return blocks;
}

/** The last entry of a block reaches to its end. */
function closeBlock(block: Buffer, last: number): void {
  if (block.length > 0) block.writeUInt16LE(BLOCK_SIZE - last, last + 4);
}

function entryLength({ name }: DirectoryEntry): number {
  return Math.ceil((HEADER + name.length) / 4) * 4;
}
