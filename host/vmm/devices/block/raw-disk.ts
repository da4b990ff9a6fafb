/** A disk that is a file, byte for byte; holes of the file are zeros of the disk. */

import { check, type System } from "../../kvm/system.ts";
import type { DataRange, Disk, DiskWriter } from "./disk.ts";
import { FileTransfer } from "./file-transfer.ts";

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 0x10;

const SECTOR_SIZE = 512;

export class RawDisk implements Disk {
  readonly length: number;
  readonly writer: DiskWriter;
  readonly #fd: number;
  readonly #transfer: FileTransfer;

  /** @param options.disposable whether nothing on it needs to outlive the host's memory: then a flush does nothing */
  constructor(system: System, fd: number, { disposable = false } = {}) {
    this.#fd = fd;
    this.#transfer = new FileTransfer(system);
    const size = check("lseek", system.fileSize(fd));
    this.length = Math.floor(size / SECTOR_SIZE) * SECTOR_SIZE;
    this.writer = this.#createWriter(system, disposable);
  }

  read(offset: number, data: DataRange): void {
    this.#transfer.read(this.#fd, offset, data);
  }

  #createWriter(system: System, disposable: boolean): DiskWriter {
    const fd = this.#fd;
    const allocate = (mode: number, offset: number, length: number): void => {
      check("fallocate", system.fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, offset, length));
    };
    return {
      write: (offset, data) => this.#transfer.write(fd, offset, data),
      flush: () => {
        if (!disposable) check("fdatasync", system.fdatasync(fd));
      },
      discard: (offset, length) => allocate(FALLOC_FL_PUNCH_HOLE, offset, length),
      writeZeroes: (offset, length, unmap) =>
        allocate(unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE, offset, length),
    };
  }
}
