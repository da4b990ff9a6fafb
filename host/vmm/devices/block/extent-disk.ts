/** A read-only disk joined from runs of files, and of zeros, without a byte being copied. */

import type { FileExtent } from "../../kvm/vmm-config.ts";
import type { DataRange, Disk } from "./disk.ts";
import type { FileTransfer } from "./file-transfer.ts";

export class ExtentDisk implements Disk {
  readonly length: number;
  readonly #extents: readonly FileExtent[];
  /** where each extent begins on the disk, in `bytes` */
  readonly #starts: readonly number[];
  readonly #transfer: FileTransfer;

  constructor(transfer: FileTransfer, extents: readonly FileExtent[]) {
    let end = 0;
    const starts: number[] = [];
    for (const extent of extents) {
      starts.push(end);
      end += extent.length;
    }
    this.length = end;
    this.#starts = starts;
    this.#extents = extents;
    this.#transfer = transfer;
  }

  read(offset: number, { buffers, position, length }: DataRange): void {
    let done = 0;
    for (let index = this.#find(offset); done < length; index++) {
      const extent = this.#extents[index];
      if (extent === undefined) throw new RangeError(`read beyond the disk at ${offset + done}`);
      const skip = offset + done - (this.#starts[index] ?? 0);
      const part = {
        buffers,
        position: position + done,
        length: Math.min(length - done, extent.length - skip),
      };
      if (extent.kind === "zero") buffers.zero(part.position, part.length);
      else this.#transfer.read(extent.fd, extent.offset + skip, part);
      done += part.length;
    }
  }

  /** Index of the extent that holds `offset`: the last one that begins at or before it. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }
}
