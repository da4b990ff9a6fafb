/** A disk that is a file, byte for byte; holes of the file are zeros of the disk. */

import { check } from "../../kvm/system.ts";
import type { DataRange, Disk, DiskWriter } from "./disk.ts";
import type { FileTransfer } from "./file-transfer.ts";

const SECTOR_SIZE = 512;

export class RawDisk implements Disk {
  readonly length: number;
  readonly writer: DiskWriter;
  readonly #fd: number;
  readonly #transfer: FileTransfer;

  /** @param options.disposable whether nothing on it needs to outlive the host's memory: then a flush does nothing */
  constructor(transfer: FileTransfer, fd: number, { disposable = false } = {}) {
    this.#fd = fd;
    this.#transfer = transfer;
    const size = check("lseek", transfer.system.fileSize(fd));
    this.length = Math.floor(size / SECTOR_SIZE) * SECTOR_SIZE;
    this.writer = {
      write: (offset, data) => transfer.write(fd, offset, data),
      flush: () => {
        if (!disposable) check("fdatasync", transfer.system.fdatasync(fd));
      },
      discard: (offset, length) => transfer.clear({ fd, offset, length }, true),
      writeZeroes: (offset, length, unmap) => transfer.clear({ fd, offset, length }, unmap),
    };
  }

  read(offset: number, data: DataRange): void {
    this.#transfer.read(this.#fd, offset, data);
  }
}
