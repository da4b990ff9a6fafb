/** Whole reads and writes of files: short ones are carried on. */

import { check, type Mapping, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { DataRange } from "./disk.ts";

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 0x10;

/** The most that passes through our own memory at once, in `bytes`. */
const SCRATCH_SIZE = 64 * 1024;

/** A run of a file, in `bytes`. */
export interface FileRange {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

export class FileTransfer {
  readonly system: System;
  readonly #vector: IoVector;
  #scratch: Mapping | undefined;

  constructor(system: System) {
    this.system = system;
    this.#vector = new IoVector(system);
  }

  /** Reads from `offset` of the file on into a request's buffers; what is beyond its end reads as zeros. */
  read(fd: number, offset: number, { buffers, position, length }: DataRange): void {
    for (let done = 0; done < length; ) {
      buffers.fill(this.#vector, position + done, length - done);
      const { address, count } = this.#vector;
      const read = check("preadv", this.system.preadv(fd, address, count, offset + done));
      if (read === 0) buffers.zero(position + done, length - done);
      done = read === 0 ? length : done + read;
    }
  }

  write(fd: number, offset: number, { buffers, position, length }: DataRange): void {
    for (let done = 0; done < length; ) {
      buffers.fill(this.#vector, position + done, length - done);
      const { address, count } = this.#vector;
      done += check("pwritev", this.system.pwritev(fd, address, count, offset + done));
    }
  }

  /** What a file has; zeros beyond its end. */
  load({ fd, offset, length }: FileRange): DataView<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#eachPart(length, (scratch, at) => {
      const { address, count } = this.#vector;
      const read = check("preadv", this.system.preadv(fd, address, count, offset + at));
      bytes.set(scratch.subarray(0, read), at);
      return read === 0 ? scratch.length : read;
    });
    return new DataView(bytes.buffer);
  }

  store(fd: number, offset: number, bytes: Uint8Array): void {
    this.#eachPart(bytes.length, (scratch, at) => {
      scratch.set(bytes.subarray(at, at + scratch.length));
      const { address, count } = this.#vector;
      return check("pwritev", this.system.pwritev(fd, address, count, offset + at));
    });
  }

  /** Has a range of a file read as zeros; `unmap` lets its storage go. */
  clear({ fd, offset, length }: FileRange, unmap: boolean): void {
    const mode = FALLOC_FL_KEEP_SIZE | (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    check("fallocate", this.system.fallocate(fd, mode, offset, length));
  }

  /** Has `move` do its part of `length` bytes by way of our own memory, and the rest, until all is done. */
  #eachPart(length: number, move: (scratch: Uint8Array, at: number) => number): void {
    this.#scratch ??= this.system.map(SCRATCH_SIZE);
    const { address, bytes } = this.#scratch;
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, SCRATCH_SIZE);
      this.#vector.clear();
      this.#vector.add(address, part);
      done += move(new Uint8Array(bytes, 0, part), done);
    }
  }
}
