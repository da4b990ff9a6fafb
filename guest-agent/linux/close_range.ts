/** Flags of close_range(2) (include/uapi/linux/close_range.h). */

export const CLOSE_RANGE_UNSHARE = 2;
export const CLOSE_RANGE_CLOEXEC = 4;
