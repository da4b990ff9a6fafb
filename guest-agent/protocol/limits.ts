/** Named bounds of the protocol; both sides refuse what exceeds them. */

/** longest payload of a DATA frame, in `bytes`; agents of version 4 send no longer ones than 256 KiB */
export const MAX_DATA_PAYLOAD = 1024 * 1024;

/**
 * longest payload that bytes are copied into, behind a header of their own, in `bytes`; agents of version 3 take no
 * longer ones
 */
export const MAX_COPIED_PAYLOAD = 64 * 1024;

/** longest payload of a MESSAGE frame, in `bytes` */
export const MAX_MESSAGE_PAYLOAD = 1024 * 1024;

/** how far a sender may be ahead of what its receiver has consumed, in `bytes`; agents of version 4 go to 1 MiB */
export const STREAM_WINDOW = 4 * 1024 * 1024;

/** the same of the host as a sender, in `bytes`: agents of version 3 take no more */
export const INPUT_WINDOW = 512 * 1024;

/** a receiver that has consumed this much since its last CREDIT sends another, in `bytes` */
export const CREDIT_STEP = 256 * 1024;

/**
 * the same towards a sender that may be a whole `STREAM_WINDOW` ahead, in `bytes`: once for each of the longest frames,
 * since a guest whose processor is emulated pays more for being woken than for the bytes
 */
export const WIDE_CREDIT_STEP = MAX_DATA_PAYLOAD - 64 * 1024;

/** most streams open at once on a channel */
export const MAX_STREAMS = 4096;

/** most frames that wait for a transport that takes nothing, beside those of streams */
export const MAX_WAITING_FRAMES = 65_536;

/** most elements of an array and most keys of a record in a message */
export const MAX_ELEMENTS = 16_384;

/** most characters of a string in a message */
export const MAX_STRING = 256 * 1024;
