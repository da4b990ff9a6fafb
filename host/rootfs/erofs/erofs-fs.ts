/**
 * The on-disk format of EROFS as Linux 6.1 reads it, in the kernel's spelling (fs/erofs/erofs_fs.h, v6.1).
 * Struct members are `NAME: offset` in `bytes`; all numbers on disk are little-endian.
 */

/** Block size, in `bytes`; the largest that a kernel with 4 KiB pages mounts (fs/erofs/super.c, `blkszbits`). */
export const EROFS_BLKSIZ = 4096;
export const EROFS_BLKSZBITS = 12;

export const EROFS_SUPER_OFFSET = 1024;
/** include/uapi/linux/magic.h */
export const EROFS_SUPER_MAGIC_V1 = 0xe0f5e1e2;
export const EROFS_FEATURE_COMPAT_SB_CHKSUM = 0x1;
export const EROFS_FEATURE_COMPAT_MTIME = 0x2;
export const EROFS_FEATURE_INCOMPAT_CHUNKED_FILE = 0x4;

/** `struct erofs_super_block` */
export const erofs_super_block = {
  magic: 0,
  checksum: 4,
  feature_compat: 8,
  blkszbits: 12,
  root_nid: 14,
  inos: 16,
  build_time: 24,
  build_time_nsec: 32,
  blocks: 36,
  meta_blkaddr: 40,
  xattr_blkaddr: 44,
  uuid: 48,
  feature_incompat: 80,
  sizeof: 128,
} as const;

export const EROFS_INODE_FLAT_PLAIN = 0;
export const EROFS_INODE_FLAT_INLINE = 2;
export const EROFS_INODE_CHUNK_BASED = 4;
/** bit of `i_format`: 0 compact, 1 extended inode */
export const EROFS_I_VERSION_BIT = 0;
export const EROFS_I_DATALAYOUT_BIT = 1;

/** `struct erofs_inode_compact`: `i_mtime` is the superblock's `build_time` */
export const erofs_inode_compact = {
  i_format: 0,
  i_xattr_icount: 2,
  i_mode: 4,
  i_nlink: 6,
  i_size: 8,
  i_u: 16,
  i_ino: 20,
  i_uid: 24,
  i_gid: 26,
  sizeof: 32,
} as const;

/** `struct erofs_inode_extended` */
export const erofs_inode_extended = {
  i_format: 0,
  i_xattr_icount: 2,
  i_mode: 4,
  i_size: 8,
  i_u: 16,
  i_ino: 20,
  i_uid: 24,
  i_gid: 28,
  i_mtime: 32,
  i_mtime_nsec: 40,
  i_nlink: 44,
  sizeof: 64,
} as const;

/** An inode's number is its place: `nid` times this many `bytes` from `meta_blkaddr` (`islotbits`). */
export const EROFS_SLOT_SIZE = 32;

/** `EROFS_CHUNK_FORMAT_BLKBITS_MASK`: chunks are of `4096 << bits` bytes */
export const EROFS_CHUNK_FORMAT_BLKBITS_MASK = 0x1f;
/** bytes of one entry of a block map (`EROFS_BLOCK_MAP_ENTRY_SIZE`) */
export const EROFS_BLOCK_MAP_ENTRY_SIZE = 4;
/** block address of a hole (`EROFS_NULL_ADDR`, -1) */
export const EROFS_NULL_ADDR = 0xffff_ffff;

/** `struct erofs_xattr_ibody_header` */
export const erofs_xattr_ibody_header = { h_shared_count: 4, sizeof: 12 } as const;
/** `struct erofs_xattr_entry` */
export const erofs_xattr_entry = {
  e_name_len: 0,
  e_name_index: 1,
  e_value_size: 2,
  sizeof: 4,
} as const;

export const EROFS_XATTR_INDEX_USER = 1;
export const EROFS_XATTR_INDEX_POSIX_ACL_ACCESS = 2;
export const EROFS_XATTR_INDEX_POSIX_ACL_DEFAULT = 3;
export const EROFS_XATTR_INDEX_TRUSTED = 4;
export const EROFS_XATTR_INDEX_SECURITY = 6;

/** `struct erofs_dirent` */
export const erofs_dirent = { nid: 0, nameoff: 8, file_type: 10, sizeof: 12 } as const;

/** File type in a dirent (include/linux/fs_types.h) and in `i_mode` (include/uapi/linux/stat.h). */
export const FILE_TYPES = {
  file: { FT: 1, S_IF: 0o100000 },
  directory: { FT: 2, S_IF: 0o040000 },
  character: { FT: 3, S_IF: 0o020000 },
  block: { FT: 4, S_IF: 0o060000 },
  fifo: { FT: 5, S_IF: 0o010000 },
  socket: { FT: 6, S_IF: 0o140000 },
  symlink: { FT: 7, S_IF: 0o120000 },
} as const;
