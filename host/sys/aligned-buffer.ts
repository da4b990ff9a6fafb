/** Memory that begins on a page, as files opened with O_DIRECT want it. */

import koffi from "koffi";

const PAGE_BYTES = 4096;

/** A buffer of its own that never moves. @param length in `bytes` */
export function pageAlignedBuffer(length: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(length + PAGE_BYTES);
  // The address is looked at and not kept: the memory stays the buffer's, which holds the whole of it.
  const past = Number(koffi.address(whole) % BigInt(PAGE_BYTES));
  const start = (PAGE_BYTES - past) % PAGE_BYTES;
  return whole.subarray(start, start + length);
}
