/** mmap(2): memory of this process that JavaScript sees as an ArrayBuffer and unmaps by `using`. */

import koffi from "koffi";
import { foreign } from "./libc.ts";
import { checked } from "./system-error.ts";

declare const hostAddress: unique symbol;

/** An address in the address space of this process; never to be mixed up with one of the guest. */
export type HostAddress = bigint & { readonly [hostAddress]: true };

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_ANONYMOUS = 0x20;

// Addresses of user space fit 47 bits, so the result comes back as a safe integer, and -1 as -1.
const mmap = foreign<
  (
    address: bigint,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => number
>(
  "intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)",
);
const munmap = foreign<(address: bigint, length: number) => number>(
  "int munmap(uintptr_t address, size_t length)",
);

export interface MappingOptions {
  /** length, in `bytes` */
  readonly length: number;
  /** `PROT_` bits */
  readonly protection: number;
  /** `MAP_` bits */
  readonly flags: number;
  /** descriptor of the file that is mapped; -1 for anonymous memory */
  readonly fd?: number;
  /** start within the file, in `bytes`, a multiple of the page size */
  readonly offset?: number;
}

/**
 * A mapping. Its `bytes` are the memory itself and not a copy: after disposal nobody may touch them, the
 * process would end by SIGSEGV. Whoever hands `bytes` on answers for that order.
 */
export class MemoryMapping implements Disposable {
  readonly address: HostAddress;
  readonly length: number;
  readonly bytes: ArrayBuffer;
  #mapped = true;

  /** @throws {SystemError} when the kernel refuses the mapping */
  constructor({ length, protection, flags, fd = -1, offset = 0 }: MappingOptions) {
    const address = checked(
      "mmap",
      `of ${length} bytes`,
      mmap(0n, length, protection, flags, fd, offset),
    );
    this.address = BigInt(address) as HostAddress;
    this.length = length;
    this.bytes = koffi.view(this.address, length);
  }

  [Symbol.dispose](): void {
    if (!this.#mapped) return;
    this.#mapped = false;
    checked("munmap", `of ${this.length} bytes`, munmap(this.address, this.length));
  }
}
