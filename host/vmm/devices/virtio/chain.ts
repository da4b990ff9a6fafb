/** One descriptor chain, copied out of guest memory once and checked: what the device acts on (virtio 1.2 §2.7). */

import type { HostAddress } from "../../kvm/system.ts";
import type { GuestMemory, Location, MemoryRegion } from "../../memory/guest-memory.ts";
import type { IoVector } from "../../memory/io-vector.ts";

/** The driver broke the rules of the ring; the device needs a reset. */
export class RingError extends Error {
  override readonly name = "RingError";
}

// Descriptor layout and flags, §2.7.5, linux/virtio_ring.h.
export const DESCRIPTOR_SIZE = 16;
const VRING_DESC_F_NEXT = 1;
const VRING_DESC_F_WRITE = 2;
const VRING_DESC_F_INDIRECT = 4;

interface Segment extends Location {
  /** in `bytes` */
  readonly length: number;
}

/** The half of a chain that the device reads, or the half that it writes. */
export class Buffers {
  /** sum of all lengths, in `bytes` */
  length = 0;
  readonly #segments: Segment[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Copies bytes from `position` on into `target`; how many there were. */
  read(position: number, target: Uint8Array): number {
    let done = 0;
    this.each(position, target.length, (region, offset, length) => {
      target.set(region.bytes.subarray(offset, offset + length), done);
      done += length;
    });
    return done;
  }

  /** Copies `source` to `position`; how many bytes there was room for. */
  write(position: number, source: Uint8Array): number {
    let done = 0;
    this.each(position, source.length, (region, offset, length) => {
      region.bytes.set(source.subarray(done, done + length), offset);
      done += length;
    });
    return done;
  }

  /** Zeroes `length` bytes from `position` on. */
  zero(position: number, length: number): void {
    this.each(position, length, (region, offset, part) => {
      region.bytes.fill(0, offset, offset + part);
    });
  }

  /** Makes `vector` that of `length` bytes from `position` on. */
  fill(vector: IoVector, position: number, length: number): void {
    vector.clear();
    this.each(position, length, (region, offset, part) => {
      vector.add((region.address + offset) as HostAddress, part);
    });
  }

  /** Visits the parts of a range that lie together in guest memory, no further than the end. */
  each(
    position: number,
    length: number,
    visit: (region: MemoryRegion, offset: number, length: number) => void,
  ): void {
    let skip = position;
    let left = length;
    for (const segment of this.#segments) {
      if (left === 0) break;
      if (skip >= segment.length) {
        skip -= segment.length;
        continue;
      }
      const part = Math.min(segment.length - skip, left);
      visit(segment.region, segment.offset + skip, part);
      skip = 0;
      left -= part;
    }
  }

  clear(): void {
    this.#segments.length = 0;
    this.length = 0;
  }

  /** Adds a part that has been checked to be guest memory. */
  append({ region, offset }: Location, length: number): void {
    if (this.#segments.length === this.#limit) {
      throw new RingError("descriptor chain is longer than its queue");
    }
    this.#segments.push({ region, offset, length });
    this.length += length;
  }
}

/** A chain; one object serves all chains of its queue, one after the other. */
export class Chain {
  /** index of the first descriptor, by which the driver knows the chain */
  head = 0;
  /** what the driver wrote for the device */
  readonly readable: Buffers;
  /** what the device may write */
  readonly writable: Buffers;
  readonly #memory: GuestMemory;
  readonly #limit: number;

  /** @param limit the queue's size, the most descriptors that a chain may have (§2.7.5.2, §2.7.5.3.1) */
  constructor(memory: GuestMemory, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
    this.readable = new Buffers(limit);
    this.writable = new Buffers(limit);
  }

  /**
   * Walks the chain that begins at `head` of `table`. Each descriptor is read once; what the driver
   * changes afterwards is not seen. The walk ends after as many descriptors as the queue has, so a loop
   * is an error and not a hang.
   *
   * @throws {RingError} on a chain that breaks the rules
   * @throws {GuestAddressError} on a descriptor that points outside guest memory
   */
  load(table: Location, head: number): void {
    this.head = head;
    this.readable.clear();
    this.writable.clear();
    let { region, offset } = table;
    let tableSize = this.#limit;
    let isIndirect = false;
    let index = head;
    for (let seen = 0; ; ) {
      if (index >= tableSize) throw new RingError(`descriptor ${index} of ${tableSize}`);
      const at = offset + index * DESCRIPTOR_SIZE;
      const { view } = region;
      const address = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const length = view.getUint32(at + 8, true);
      const flags = view.getUint16(at + 12, true);
      const next = view.getUint16(at + 14, true);
      if ((flags & VRING_DESC_F_INDIRECT) !== 0) {
        if (isIndirect) throw new RingError("indirect table within an indirect table");
        checkIndirect(flags, length);
        ({ region, offset } = this.#memory.locate(address, length));
        tableSize = length / DESCRIPTOR_SIZE;
        isIndirect = true;
        index = 0;
        continue;
      }
      if (++seen > this.#limit) throw new RingError("descriptor chain is longer than its queue");
      this.#append(address, length, (flags & VRING_DESC_F_WRITE) !== 0);
      if ((flags & VRING_DESC_F_NEXT) === 0) return;
      index = next;
    }
  }

  #append(address: number, length: number, isWritable: boolean): void {
    if (!isWritable && this.writable.length > 0) {
      throw new RingError("readable descriptor behind a writable one");
    }
    if (length === 0) return;
    const location = this.#memory.locate(address, length);
    (isWritable ? this.writable : this.readable).append(location, length);
  }
}

function checkIndirect(flags: number, length: number): void {
  if ((flags & VRING_DESC_F_NEXT) !== 0) throw new RingError("indirect descriptor with a next one");
  if (length === 0 || length % DESCRIPTOR_SIZE !== 0) {
    throw new RingError(`indirect table of ${length} bytes`);
  }
}
