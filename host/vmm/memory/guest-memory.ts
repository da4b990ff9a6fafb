/** The guest's physical memory: one or two regions, and the only way from a guest address to a host one. */

import type { HostAddress, System } from "../kvm/system.ts";

/** An address in the guest's physical address space; any number until `GuestMemory` has found it. */
export type GuestAddress = number;

/** One run of guest memory, seen in every width that rings and headers are read in. */
export interface MemoryRegion {
  /** first guest address */
  readonly start: GuestAddress;
  /** length, in `bytes` */
  readonly length: number;
  /** where the region begins in this process */
  readonly address: HostAddress;
  /** offset of the region in the memory file, where there is one, in `bytes` */
  readonly fileOffset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** the same memory as 16-bit words, for the atomic accesses to ring indices */
  readonly words: Uint16Array<ArrayBuffer>;
}

/** The guest named an address range that is not memory. */
export class GuestAddressError extends Error {
  override readonly name = "GuestAddressError";

  constructor(address: GuestAddress, length: number) {
    super(`no guest memory at 0x${address.toString(16)}, ${length} bytes`);
  }
}

/** Where a range of guest memory is. */
export interface Location {
  readonly region: MemoryRegion;
  /** offset in the region, in `bytes` */
  readonly offset: number;
}

export class GuestMemory {
  readonly regions: readonly MemoryRegion[];
  /** file that holds all of the memory, region after region; undefined for anonymous memory */
  readonly file: MemoryFile | undefined;

  constructor(regions: readonly MemoryRegion[], file?: MemoryFile) {
    this.regions = regions;
    this.file = file;
  }

  /**
   * Finds `length` bytes from `address` on, all in one region. Guest addresses are 64 bits wide and a
   * number holds 53 of them exactly; what is above is rounded and far beyond any region, so it is refused
   * all the same, and a sum never wraps.
   *
   * @throws {GuestAddressError} when any byte of the range is not memory
   */
  locate(address: GuestAddress, length: number): Location {
    for (const region of this.regions) {
      const offset = address - region.start;
      if (offset >= 0 && offset + length <= region.length) return { region, offset };
    }
    throw new GuestAddressError(address, length);
  }

  /** Copies `data` into the guest's memory. */
  write(address: GuestAddress, data: Uint8Array): void {
    const { region, offset } = this.locate(address, data.length);
    region.bytes.set(data, offset);
  }

  /** Where the kernel finds `length` bytes of guest memory. */
  hostAddress(address: GuestAddress, length: number): HostAddress {
    const { region, offset } = this.locate(address, length);
    return (region.address + offset) as HostAddress;
  }
}

/** A run of guest addresses that is memory. */
export interface MemoryRange {
  readonly start: GuestAddress;
  /** length, in `bytes` */
  readonly length: number;
}

/** A file that guest memory comes from. */
export interface MemoryFile {
  readonly fd: number;
  /** whether the guest's writes reach the file, or a private copy of its pages */
  readonly shared: boolean;
}

/** What one entry of the processor's page tables covers at most here, and so one fault of the guest, in `bytes`. */
const HUGE_PAGE_SIZE = 2 * 1024 * 1024;
/** asm-generic/mman-common.h */
const MADV_HUGEPAGE = 14;

/**
 * Maps guest memory over a file, or makes it afresh: zeroed, unreserved, and in huge pages where the kernel has some,
 * for then a boot takes some twenty page faults and not five thousand.
 */
export function createGuestMemory(
  system: System,
  ranges: readonly MemoryRange[],
  file?: MemoryFile,
): GuestMemory {
  const total = ranges.reduce((sum, range) => sum + range.length, 0);
  const mapping = system.map(total + (file === undefined ? HUGE_PAGE_SIZE : 0), file);
  const skipped =
    file === undefined
      ? Math.ceil(mapping.address / HUGE_PAGE_SIZE) * HUGE_PAGE_SIZE - mapping.address
      : 0;
  const address = mapping.address + skipped;
  if (file === undefined) system.madvise(address as HostAddress, total, MADV_HUGEPAGE); // or it does without
  let fileOffset = 0;
  const regions = ranges.map(({ start, length }): MemoryRegion => {
    const offset = skipped + fileOffset;
    fileOffset += length;
    return {
      start,
      length,
      fileOffset: fileOffset - length,
      address: (mapping.address + offset) as HostAddress,
      bytes: new Uint8Array(mapping.bytes, offset, length),
      view: new DataView(mapping.bytes, offset, length),
      words: new Uint16Array(mapping.bytes, offset, length / 2),
    };
  });
  return new GuestMemory(regions, file);
}
