/** The on-disk format of ext4, as far as whole files are put into a file system that mkfs.ext4 has made (fs/ext4/ext4.h, ext4_extents.h, xattr.h; Linux 6.1). */

/** Size of blocks and inodes that `makeWritableDisk` asks for, in `bytes`. */
export const BLOCK_SIZE = 4096;
export const INODE_SIZE = 256;

/** struct ext4_super_block: where it is on the disk, and offsets of its fields. */
export const SUPER_BLOCK = 1024;
export const SUPER_BLOCK_SIZE = 1024;
export const EXT4_SUPER_MAGIC = 0xef53;
export const super_block = {
  s_inodes_count: 0x0,
  s_blocks_count_lo: 0x4,
  s_free_blocks_count_lo: 0xc,
  s_free_inodes_count: 0x10,
  s_log_block_size: 0x18,
  s_blocks_per_group: 0x20,
  s_inodes_per_group: 0x28,
  s_magic: 0x38,
  s_inode_size: 0x58,
  s_feature_ro_compat: 0x64,
  s_desc_size: 0xfe,
  s_blocks_count_hi: 0x150,
  s_free_blocks_count_hi: 0x158,
} as const;

/** Features under which every change needs checksums that are not made here: GDT_CSUM, METADATA_CSUM. */
export const CHECKSUM_FEATURES = 0x10 | 0x400;

/** struct ext4_group_desc with the `64bit` feature. */
export const GROUP_DESC_SIZE = 64;
export const group_desc = {
  bg_block_bitmap: { lo: 0x0, hi: 0x20 },
  bg_inode_bitmap: { lo: 0x4, hi: 0x24 },
  bg_inode_table: { lo: 0x8, hi: 0x28 },
  bg_free_blocks_count: { lo: 0xc, hi: 0x2c },
  bg_free_inodes_count: { lo: 0xe, hi: 0x2e },
  bg_used_dirs_count: { lo: 0x10, hi: 0x30 },
} as const;

/** struct ext4_inode. */
export const inode = {
  i_mode: 0x0,
  i_uid: 0x2,
  i_size_lo: 0x4,
  i_atime: 0x8,
  i_ctime: 0xc,
  i_mtime: 0x10,
  i_gid: 0x18,
  i_links_count: 0x1a,
  i_blocks_lo: 0x1c,
  i_flags: 0x20,
  i_block: 0x28,
  i_file_acl_lo: 0x68,
  i_size_high: 0x6c,
  l_i_blocks_high: 0x74,
  l_i_file_acl_high: 0x76,
  l_i_uid_high: 0x78,
  l_i_gid_high: 0x7a,
  i_extra_isize: 0x80,
  i_ctime_extra: 0x84,
  i_mtime_extra: 0x88,
  i_atime_extra: 0x8c,
  i_crtime: 0x90,
  i_crtime_extra: 0x94,
} as const;
/** Bytes of `i_block`: an extent tree's root, a short link's target, a device's number. */
export const I_BLOCK_SIZE = 60;
/** `i_extra_isize` of Linux 6.1, and where attributes in the inode begin. */
export const EXTRA_ISIZE = 32;
export const XATTR_START = 0x80 + EXTRA_ISIZE;
/** Most names of a file. Of folders in a folder too; beyond, their count is 1 (the `dir_nlink` feature). */
export const EXT4_LINK_MAX = 65000;
export const EXT4_EXTENTS_FL = 0x8_0000;
export const EXT4_ROOT_INO = 2;
export const EXT4_FT = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const;

/** struct ext4_extent_header, ext4_extent and ext4_extent_idx have 12 bytes each. */
export const EXTENT_SIZE = 12;
export const EXT4_EXT_MAGIC = 0xf30a;
/** Most blocks of one extent that is written (EXT_INIT_MAX_LEN). */
export const EXT_INIT_MAX_LEN = 32768;

export const EXT4_XATTR_MAGIC = 0xea02_0000;
