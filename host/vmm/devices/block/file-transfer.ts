/** Whole reads and writes between a file and the buffers of a request: short ones are carried on. */

import { check, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { DataRange } from "./disk.ts";

export class FileTransfer {
  readonly #system: System;
  readonly #vector: IoVector;

  constructor(system: System) {
    this.#system = system;
    this.#vector = new IoVector(system);
  }

  /** Reads from `offset` of the file on; what is beyond its end reads as zeros. */
  read(fd: number, offset: number, { buffers, position, length }: DataRange): void {
    for (let done = 0; done < length; ) {
      buffers.fill(this.#vector, position + done, length - done);
      const { address, count } = this.#vector;
      const read = check("preadv", this.#system.preadv(fd, address, count, offset + done));
      if (read === 0) buffers.zero(position + done, length - done);
      done = read === 0 ? length : done + read;
    }
  }

  write(fd: number, offset: number, { buffers, position, length }: DataRange): void {
    for (let done = 0; done < length; ) {
      buffers.fill(this.#vector, position + done, length - done);
      const { address, count } = this.#vector;
      done += check("pwritev", this.#system.pwritev(fd, address, count, offset + done));
    }
  }
}
