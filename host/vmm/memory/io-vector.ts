/** An array of struct iovec for readv(2) and its kin, refilled for each call. */

import type { HostAddress, System } from "../kvm/system.ts";

/** UIO_MAXIOV of linux/uio.h */
const IOV_MAX = 1024;
const IOVEC_SIZE = 16;

export class IoVector {
  /** where the kernel finds the array */
  readonly address: HostAddress;
  /** number of entries */
  count = 0;
  /** sum of their lengths, in `bytes` */
  length = 0;
  readonly #view: DataView;

  constructor(system: System) {
    const { address, bytes } = system.map(IOV_MAX * IOVEC_SIZE);
    this.address = address;
    this.#view = new DataView(bytes);
  }

  clear(): void {
    this.count = 0;
    this.length = 0;
  }

  /** Adds `length` bytes at `address`, which must stay mapped until the call is over. */
  add(address: HostAddress, length: number): void {
    if (this.count >= IOV_MAX) throw new RangeError(`more than ${IOV_MAX} vectors in one call`);
    const at = this.count * IOVEC_SIZE;
    this.#view.setUint32(at, address % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
    this.#view.setUint32(at + 8, length, true);
    this.#view.setUint32(at + 12, 0, true);
    this.count++;
    this.length += length;
  }
}
