/** The guest's physical memory: one or two regions, and the only way from a guest address to a host one. */

import type { HostAddress, System } from "../kvm/system.ts";
import type { VmmTemplate } from "../kvm/vmm-config.ts";

/** An address in the guest's physical address space; any number until `GuestMemory` has found it. */
export type GuestAddress = number;

/** A run of guest addresses that is memory. */
export interface MemoryRange {
  readonly start: GuestAddress;
  /** length, in `bytes` */
  readonly length: number;
}

/** Where one is. */
interface Place extends MemoryRange {
  /** where it begins in this process */
  readonly address: HostAddress;
}

/** A run of guest memory, to be seen in every width that rings and headers are read in. */
export class MemoryRegion implements Place {
  readonly start: GuestAddress;
  readonly length: number;
  readonly address: HostAddress;
  readonly #system: Pick<System, "view">;
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #view: DataView<ArrayBuffer> | undefined;
  #words: Uint16Array<ArrayBuffer> | undefined;

  constructor(system: Pick<System, "view">, { start, length, address }: Place) {
    this.#system = system;
    this.start = start;
    this.length = length;
    this.address = address;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    this.#bytes ??= this.#system.view(this.address, this.length);
    return this.#bytes;
  }

  get view(): DataView<ArrayBuffer> {
    const { buffer, byteOffset } = this.bytes;
    this.#view ??= new DataView(buffer, byteOffset, this.length);
    return this.#view;
  }

  /** the same memory as 16-bit words, for the atomic accesses to ring indices */
  get words(): Uint16Array<ArrayBuffer> {
    const { buffer, byteOffset } = this.bytes;
    this.#words ??= new Uint16Array(buffer, byteOffset, Math.floor(this.length / 2));
    return this.#words;
  }

  /** A part of it. */
  part(offset: number, length: number): MemoryRegion {
    return new MemoryRegion(this.#system, {
      start: this.start + offset,
      length,
      address: (this.address + offset) as HostAddress,
    });
  }
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

/**
 * How much of a region is seen at once, in `bytes`. JavaScript's views of memory count as its own: one of a whole
 * region would have it collect garbage in the middle of every boot.
 */
const WINDOW = 2 * 1024 * 1024;

export class GuestMemory {
  readonly regions: readonly MemoryRegion[];
  /** in `bytes` */
  readonly length: number;
  /** of each region, the parts that have been looked at */
  readonly #windows: readonly (MemoryRegion | undefined)[][];

  constructor(regions: readonly MemoryRegion[]) {
    this.regions = regions;
    this.length = regions.reduce((sum, { length }) => sum + length, 0);
    this.#windows = regions.map(() => []);
  }

  /**
   * Finds `length` bytes from `address` on, all in one region. Guest addresses are 64 bits wide and a
   * number holds 53 of them exactly; what is above is rounded and far beyond any region, so it is refused
   * all the same, and a sum never wraps.
   *
   * @throws {GuestAddressError} when any byte of the range is not memory
   */
  locate(address: GuestAddress, length: number): Location {
    for (let index = 0; index < this.regions.length; index++) {
      const region = this.regions[index];
      if (region === undefined) break;
      const offset = address - region.start;
      if (offset >= 0 && offset + length <= region.length) {
        return this.#locate(index, region, offset, length);
      }
    }
    throw new GuestAddressError(address, length);
  }

  #locate(index: number, region: MemoryRegion, offset: number, length: number): Location {
    if (region.length <= WINDOW) return { region, offset };
    const number = Math.floor(offset / WINDOW);
    const within = offset - number * WINDOW;
    const begin = number * WINDOW;
    if (within + length > WINDOW) {
      return { region: region.part(begin, within + length), offset: within };
    }
    const windows = this.#windows[index] ?? [];
    const size = Math.min(WINDOW, region.length - begin);
    windows[number] ??= region.part(begin, size);
    return { region: windows[number], offset: within };
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

/** What one entry of the processor's page tables covers at most here, and so one fault of the guest, in `bytes`. */
const HUGE_PAGE_SIZE = 2 * 1024 * 1024;
/** asm-generic/mman-common.h */
const MADV_HUGEPAGE = 14;
/** asm-generic/mman-common.h; since Linux 5.14. Without it each page is a fault of its own. */
export const MADV_POPULATE_READ = 22;

/**
 * Maps a private copy of the memory in a file, its regions one after the other, or makes it afresh: zeroed, unreserved, and
 * in huge pages where the kernel has some, for then a boot takes some twenty page faults and not five thousand.
 */
export function createGuestMemory(
  system: System,
  ranges: readonly MemoryRange[],
  template?: VmmTemplate,
): GuestMemory {
  const total = ranges.reduce((sum, range) => sum + range.length, 0);
  let address: number;
  if (template === undefined) {
    const mapping = system.map(total + HUGE_PAGE_SIZE);
    address = Math.ceil(mapping.address / HUGE_PAGE_SIZE) * HUGE_PAGE_SIZE;
    system.madvise(address as HostAddress, total, MADV_HUGEPAGE); // or it does without
  } else {
    address = system.map(total, { fd: template.memory, shared: false }).address;
    for (const { offset, length } of template.runs) {
      system.madvise((address + offset) as HostAddress, length, MADV_POPULATE_READ); // or it comes later
    }
  }
  const regions = ranges.map(({ start, length }) => {
    const region = new MemoryRegion(system, { start, length, address: address as HostAddress });
    address += length;
    return region;
  });
  return new GuestMemory(regions);
}
