/** The file tree of an image: what merging its layers yields and what the EROFS writer writes. */

import type { DataRun } from "./entry.ts";

/** What every inode has; a layer's entry fits as it is. */
export interface Attributes {
  /** permission bits with set-uid, set-gid and sticky (`0o7777`) */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** modification time, whole seconds since the epoch */
  readonly mtime: number;
  /** the rest of the modification time, in `nanoseconds` */
  readonly mtimeNanoseconds: number;
  /** extended attributes, name with its prefix to value */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface FileNode {
  readonly type: "file";
  readonly attributes: Attributes;
  /** size, in `bytes` */
  readonly size: number;
  readonly data: readonly DataRun[];
  /** index of the layer whose data file holds the content */
  readonly layer: number;
}

export interface DirectoryNode {
  readonly type: "directory";
  attributes: Attributes;
  /** name, as a binary string, to inode; an inode under several names is one object */
  readonly children: Map<string, TreeNode>;
}

export interface SymlinkNode {
  readonly type: "symlink";
  readonly attributes: Attributes;
  /** target, as a binary string */
  readonly target: string;
}

export interface DeviceNode {
  readonly type: "character" | "block";
  readonly attributes: Attributes;
  readonly major: number;
  readonly minor: number;
}

export interface PipeNode {
  readonly type: "fifo" | "socket";
  readonly attributes: Attributes;
}

/** One inode. */
export type TreeNode = FileNode | DirectoryNode | SymlinkNode | DeviceNode | PipeNode;

/** What a folder gets that no entry describes: `mkdir -p` of root at the epoch. */
export const IMPLIED_FOLDER: Attributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNanoseconds: 0,
  xattrs: new Map(),
};

/** Makes a folder without entries. */
export function emptyFolder(attributes: Attributes = IMPLIED_FOLDER): DirectoryNode {
  return { type: "directory", attributes, children: new Map() };
}
