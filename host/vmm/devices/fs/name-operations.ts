/** FUSE operations on names: finding, making, moving and removing them. */

import * as fcntl from "#linux/fcntl";
import { SYS } from "../../../sys/system-call-numbers.ts";
import type { HostAddress } from "../../kvm/system.ts";
import * as fuse from "./fuse.ts";
import type { FuseMessage } from "./fuse-message.ts";
import type { OperationTable } from "./operation-table.ts";
import type { SharedFiles } from "./shared-files.ts";

export const nameOperations: OperationTable = {
  [fuse.fuse_opcode.FUSE_LOOKUP]: (files, message) => lookUp(files, message, message.name(0)),
  [fuse.fuse_opcode.FUSE_FORGET]: (files, message) => {
    files.forget(message.nodeId, message.u64(0));
    return 0;
  },
  [fuse.fuse_opcode.FUSE_BATCH_FORGET]: forgetMany,
  [fuse.fuse_opcode.FUSE_SYMLINK]: (files, message) => {
    const name = message.name(0);
    const target = message.text(message.after(name));
    return make(files, message, name, (folder) =>
      files.system.syscall(SYS.symlinkat, target, folder, name),
    );
  },
  [fuse.fuse_opcode.FUSE_MKNOD]: (files, message) => {
    const name = message.name(fuse.fuse_mknod_in.size);
    const [mode, device] = [
      message.u32(fuse.fuse_mknod_in.mode),
      message.u32(fuse.fuse_mknod_in.rdev),
    ];
    return make(files, message, name, (folder) =>
      files.system.syscall(SYS.mknodat, folder, name, mode, device),
    );
  },
  [fuse.fuse_opcode.FUSE_MKDIR]: (files, message) => {
    const name = message.name(fuse.fuse_mkdir_in.size);
    const mode = message.u32(fuse.fuse_mkdir_in.mode) & 0o7777;
    return make(files, message, name, (folder) =>
      files.system.syscall(SYS.mkdirat, folder, name, mode),
    );
  },
  [fuse.fuse_opcode.FUSE_UNLINK]: (files, message) => remove(files, message, 0),
  [fuse.fuse_opcode.FUSE_RMDIR]: (files, message) => remove(files, message, fcntl.AT_REMOVEDIR),
  [fuse.fuse_opcode.FUSE_RENAME]: (files, message) =>
    rename(files, message, fuse.fuse_rename_in.size, 0),
  [fuse.fuse_opcode.FUSE_RENAME2]: (files, message) =>
    rename(files, message, fuse.fuse_rename2_in.size, message.u32(fuse.fuse_rename2_in.flags)),
  [fuse.fuse_opcode.FUSE_LINK]: link,
};

export function lookUp(files: SharedFiles, message: FuseMessage, name: HostAddress): number {
  const folder = files.node(message.nodeId);
  return files.enter(message, files.find(folder, name, message.bytesOf(name)));
}

function forgetMany(files: SharedFiles, message: FuseMessage): number {
  const room = Math.floor(
    (message.length - fuse.fuse_batch_forget_in.size) / fuse.fuse_forget_one.size,
  );
  const count = Math.min(message.u32(fuse.fuse_batch_forget_in.count), room);
  for (let index = 0; index < count; index++) {
    const at = fuse.fuse_batch_forget_in.size + index * fuse.fuse_forget_one.size;
    files.forget(
      message.u64(at + fuse.fuse_forget_one.nodeid),
      message.u64(at + fuse.fuse_forget_one.nlookup),
    );
  }
  return 0;
}

/** Makes what `name` is to be, for the guest's user. */
function make(
  files: SharedFiles,
  message: FuseMessage,
  name: HostAddress,
  call: (folder: number) => number,
): number {
  const folder = files.writableNode(message.nodeId);
  const result = call(folder.fd);
  if (result < 0) return result;
  const fd = files.calls.openIn(folder.fd, name, fcntl.O_PATH);
  if (fd >= 0) files.give(fd, folder, message);
  return files.enter(message, { fd, parent: folder });
}

function remove(files: SharedFiles, message: FuseMessage, flags: number): number {
  const folder = files.writableNode(message.nodeId);
  return files.system.syscall(SYS.unlinkat, folder.fd, message.name(0), flags);
}

function rename(files: SharedFiles, message: FuseMessage, size: number, flags: number): number {
  const source = files.writableNode(message.nodeId);
  const target = files.writableNode(message.u64(fuse.fuse_rename2_in.newdir));
  const name = message.name(size);
  const newName = message.name(message.after(name));
  return files.system.syscall(SYS.renameat2, source.fd, name, target.fd, newName, flags);
}

function link(files: SharedFiles, message: FuseMessage): number {
  const folder = files.writableNode(message.nodeId);
  const source = files.writableNode(message.u64(fuse.fuse_link_in.oldnodeid));
  const result = files.calls.link(source.fd, folder.fd, message.name(fuse.fuse_link_in.size));
  if (result < 0) return result;
  return files.enter(message, { fd: files.calls.reopen(source.fd, fcntl.O_PATH), parent: folder });
}
