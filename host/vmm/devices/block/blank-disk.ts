/** The disk of a template, which stands for any: as large as any, all zeros, and what is written to it is gone. */

import type { DataRange, Disk, DiskWriter } from "./disk.ts";

/** A guest goes on taking its disks for that large when it is a clone, in `bytes`. */
const ANY_LENGTH = 2 ** 40;

export class BlankDisk implements Disk {
  readonly length = ANY_LENGTH;
  readonly writer?: DiskWriter;

  constructor({ readOnly }: { readonly readOnly: boolean }) {
    if (readOnly) return;
    this.writer = { write() {}, flush() {}, discard() {}, writeZeroes() {} };
  }

  read(_offset: number, { buffers, position, length }: DataRange): void {
    buffers.zero(position, length);
  }
}
