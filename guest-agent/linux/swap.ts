/** Flags of swapon(2) (include/linux/swap.h). */

export const SWAP_FLAG_DISCARD = 0x10000;
