/** FUSE operations on open folders. */

import { ERRNO } from "#linux/errno";
import * as fcntl from "#linux/fcntl";
import * as modes from "#linux/stat";
import { SYS } from "../../../sys/system-call-numbers.ts";
import { check, type HostAddress } from "../../kvm/system.ts";
import * as fuse from "./fuse.ts";
import { copy64, type FuseMessage, REPLY_LIMIT } from "./fuse-message.ts";
import type { OperationTable } from "./operation-table.ts";
import type { SharedFiles } from "./shared-files.ts";

/** struct linux_dirent64: inode, offset of the next one, length, type, name */
const linux_dirent64 = { ino: 0, off: 8, reclen: 16, type: 18, name: 19 } as const;
/** The first half of the answer's memory is the answer, the second what the kernel lists. */
const HALF = 32 * 1024;
const LISTING = REPLY_LIMIT - HALF;
/** room for one entry with the longest name */
const LONGEST_ENTRY = 512;

export const folderOperations: OperationTable = {
  [fuse.fuse_opcode.FUSE_OPENDIR]: (files, message) => {
    const file = files.node(message.nodeId);
    // The root's names are for those who know them.
    if (file.type !== modes.S_IFDIR || file.id === fuse.FUSE_ROOT_ID) return -ERRNO.EBADF;
    return files.enterHandle(message, { fd: files.calls.reopen(file.fd, fcntl.O_DIRECTORY), file });
  },
  [fuse.fuse_opcode.FUSE_READDIR]: (files, message) => list(files, message, false),
  [fuse.fuse_opcode.FUSE_READDIRPLUS]: (files, message) => list(files, message, true),
};

/** Fills the answer with entries; with `plus` each comes with all that a lookup tells. */
function list(files: SharedFiles, message: FuseMessage, plus: boolean): number {
  const { fd, file } = files.openFile(message.u64(fuse.fuse_read_in.fh));
  const before = plus ? fuse.fuse_entry_out.size : 0;
  const limit = Math.min(message.u32(fuse.fuse_read_in["size.field"]), LISTING);
  // An entry takes about a fifth here of what it does in the answer with a lookup: little is listed twice.
  const room = Math.min(Math.max(plus ? Math.floor(limit / 5) : limit, LONGEST_ENTRY), HALF);
  const position = message.big64(fuse.fuse_read_in.offset);
  check("lseek", files.system.syscall(SYS.lseek, fd, position, 0));
  const listing = message.reply + LISTING;
  const length = check("getdents64", files.system.syscall(SYS.getdents64, fd, listing, room));
  const entries = message.view(LISTING, length);
  let done = 0;
  for (let at = 0; at < length; at += entries.getUint16(at + linux_dirent64.reclen, true)) {
    const name = nameIn(entries, at);
    const needed = before + Math.ceil((fuse.fuse_dirent.size + name.length) / 8) * 8;
    if (done + needed > limit) break;
    if (plus) {
      const address = (listing + at + linux_dirent64.name) as HostAddress;
      const found = isDots(name) ? -ERRNO.ENOENT : files.calls.openIn(fd, address, fcntl.O_PATH);
      const entered = files.enter(message, { fd: found, parent: file, at: done });
      if (entered < 0) message.body(before, done); // no node: it has gone, or is the folder or the one above
    }
    const out = message.body(needed - before, done + before);
    copy64(entries, at + linux_dirent64.ino, out, fuse.fuse_dirent.ino);
    copy64(entries, at + linux_dirent64.off, out, fuse.fuse_dirent.off);
    out.setUint32(fuse.fuse_dirent.namelen, name.length, true);
    out.setUint32(fuse.fuse_dirent.type, entries.getUint8(at + linux_dirent64.type), true);
    new Uint8Array(out.buffer, out.byteOffset + fuse.fuse_dirent.size).set(name);
    done += needed;
  }
  return done;
}

function nameIn({ buffer, byteOffset }: DataView, at: number): Uint8Array {
  const bytes = new Uint8Array(buffer, byteOffset + at + linux_dirent64.name);
  return bytes.subarray(0, bytes.indexOf(0));
}

const isDots = (name: Uint8Array): boolean =>
  name.length <= 2 && name.every((byte) => byte === 0x2e);
