/** The FUSE protocol as virtio-fs carries it: operations, flags and layouts of linux/fuse.h (7.38), offsets in `bytes`. */

export const fuse_opcode = {
  FUSE_LOOKUP: 1,
  FUSE_FORGET: 2,
  FUSE_GETATTR: 3,
  FUSE_SETATTR: 4,
  FUSE_READLINK: 5,
  FUSE_SYMLINK: 6,
  FUSE_MKNOD: 8,
  FUSE_MKDIR: 9,
  FUSE_UNLINK: 10,
  FUSE_RMDIR: 11,
  FUSE_RENAME: 12,
  FUSE_LINK: 13,
  FUSE_OPEN: 14,
  FUSE_READ: 15,
  FUSE_WRITE: 16,
  FUSE_STATFS: 17,
  FUSE_RELEASE: 18,
  FUSE_FSYNC: 20,
  FUSE_SETXATTR: 21,
  FUSE_GETXATTR: 22,
  FUSE_LISTXATTR: 23,
  FUSE_REMOVEXATTR: 24,
  FUSE_INIT: 26,
  FUSE_OPENDIR: 27,
  FUSE_READDIR: 28,
  FUSE_RELEASEDIR: 29,
  FUSE_FSYNCDIR: 30,
  FUSE_CREATE: 35,
  FUSE_DESTROY: 38,
  FUSE_BATCH_FORGET: 42,
  FUSE_FALLOCATE: 43,
  FUSE_READDIRPLUS: 44,
  FUSE_RENAME2: 45,
  FUSE_LSEEK: 46,
  FUSE_SYNCFS: 50,
} as const;

export const FUSE_ROOT_ID = 1;
export const FUSE_KERNEL_VERSION = 7;
export const FUSE_KERNEL_MINOR_VERSION = 38;

// Flags of FUSE_INIT.
export const FUSE_ASYNC_READ = 1 << 0;
export const FUSE_ATOMIC_O_TRUNC = 1 << 3;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_AUTO_INVAL_DATA = 1 << 12;
export const FUSE_DO_READDIRPLUS = 1 << 13;
export const FUSE_READDIRPLUS_AUTO = 1 << 14;
export const FUSE_ASYNC_DIO = 1 << 15;
export const FUSE_PARALLEL_DIROPS = 1 << 18;
export const FUSE_MAX_PAGES = 1 << 22;
export const FUSE_HANDLE_KILLPRIV_V2 = 1 << 28;

export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_FH = 1 << 6;
export const FATTR_ATIME_NOW = 1 << 7;
export const FATTR_MTIME_NOW = 1 << 8;
export const FATTR_KILL_SUIDGID = 1 << 11;
export const FUSE_OPEN_KILL_SUIDGID = 1 << 0;
export const FUSE_WRITE_KILL_SUIDGID = 1 << 2;
export const FUSE_FSYNC_FDATASYNC = 1 << 0;

export const fuse_in_header = {
  size: 40,
  len: 0,
  opcode: 4,
  unique: 8,
  nodeid: 16,
  uid: 24,
  gid: 28,
} as const;
export const fuse_out_header = { size: 16, len: 0, error: 4, unique: 8 } as const;
export const fuse_attr = {
  size: 88,
  ino: 0,
  "size.field": 8,
  blocks: 16,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimensec: 48,
  mtimensec: 52,
  ctimensec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  rdev: 76,
  blksize: 80,
} as const;
export const fuse_entry_out = {
  size: 128,
  nodeid: 0,
  entry_valid: 16,
  attr_valid: 24,
  attr: 40,
} as const;
export const fuse_attr_out = { size: 104, attr_valid: 0, attr: 16 } as const;
export const fuse_setattr_in = {
  size: 88,
  valid: 0,
  fh: 8,
  "size.field": 16,
  atime: 32,
  mtime: 40,
  atimensec: 56,
  mtimensec: 60,
  mode: 68,
  uid: 76,
  gid: 80,
} as const;
export const fuse_init_in = { size: 64, major: 0, minor: 4, max_readahead: 8, flags: 12 } as const;
export const fuse_init_out = {
  size: 64,
  major: 0,
  minor: 4,
  max_readahead: 8,
  flags: 12,
  max_background: 16,
  congestion_threshold: 18,
  max_write: 20,
  time_gran: 24,
  max_pages: 28,
} as const;
export const fuse_mknod_in = { size: 16, mode: 0, rdev: 4 } as const;
export const fuse_mkdir_in = { size: 8, mode: 0 } as const;
export const fuse_rename_in = { size: 8, newdir: 0 } as const;
export const fuse_rename2_in = { size: 16, newdir: 0, flags: 8 } as const;
export const fuse_link_in = { size: 8, oldnodeid: 0 } as const;
export const fuse_open_in = { size: 8, flags: 0, open_flags: 4 } as const;
export const fuse_create_in = { size: 16, flags: 0, mode: 4, open_flags: 12 } as const;
export const fuse_open_out = { size: 16, fh: 0 } as const;
export const fuse_read_in = { size: 40, fh: 0, offset: 8, "size.field": 16 } as const;
export const fuse_write_in = {
  size: 40,
  fh: 0,
  offset: 8,
  "size.field": 16,
  write_flags: 20,
} as const;
export const fuse_fsync_in = { size: 16, fh: 0, fsync_flags: 8 } as const;
/** without FUSE_SETXATTR_EXT the structure ends after its second field */
export const fuse_setxattr_in = { "size.field": 0, flags: 4 } as const;
export const FUSE_COMPAT_SETXATTR_IN_SIZE = 8;
export const fuse_getxattr_in = { size: 8, "size.field": 0 } as const;
export const fuse_fallocate_in = { size: 32, fh: 0, offset: 8, length: 16, mode: 24 } as const;
export const fuse_lseek_in = { size: 24, fh: 0, offset: 8, whence: 16 } as const;
export const fuse_dirent = { size: 24, ino: 0, off: 8, namelen: 16, type: 20 } as const;
export const fuse_forget_one = { size: 16, nodeid: 0, nlookup: 8 } as const;
export const fuse_batch_forget_in = { size: 8, count: 0 } as const;
