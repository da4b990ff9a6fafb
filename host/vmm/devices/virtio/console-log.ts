/** The port of the kernel's console: all that it writes goes to a file whose length is bounded. */

import { check, type Mapping, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { ConsolePort, PortQueues } from "./console.ts";

/** The file is cut to its last `KEPT` bytes whenever it has grown to `LIMIT`. */
const LIMIT = 1024 * 1024;
const KEPT = 128 * 1024;

/** The most that is written of one chain, in `bytes`; a console driver writes a page at most. */
const CHAIN_LIMIT = 64 * 1024;

export class ConsoleLogPort implements ConsolePort {
  readonly name = "";
  readonly isOpen = true;
  readonly #system: System;
  readonly #fd: number;
  readonly #vector: IoVector;
  #kept: Mapping | undefined;
  #length = 0;

  /** @param fd the log, opened for reading and appending */
  constructor(system: System, fd: number) {
    this.#system = system;
    this.#fd = fd;
    this.#vector = new IoVector(system);
  }

  attach(): void {}

  pump({ output }: PortQueues): void {
    output.serve(({ readable }) => {
      readable.fill(this.#vector, 0, CHAIN_LIMIT);
      // A log that cannot be written (disk full) must not stop the guest.
      const { address, count } = this.#vector;
      this.#length += Math.max(0, this.#system.writev(this.#fd, address, count));
      if (this.#length >= LIMIT) this.#cut();
      return 0;
    });
  }

  #cut(): void {
    const system = this.#system;
    this.#kept ??= system.map(KEPT);
    const size = check("lseek", system.fileSize(this.#fd));
    this.#vector.clear();
    this.#vector.add(this.#kept.address, KEPT);
    const { address, count } = this.#vector;
    const length = check(
      "preadv",
      system.preadv(this.#fd, address, count, Math.max(0, size - KEPT)),
    );
    check("ftruncate", system.ftruncate(this.#fd, 0));
    this.#length = Math.max(0, system.write(this.#fd, this.#kept.address, length));
  }
}
